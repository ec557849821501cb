"""`details`: detail rows as Parquet. Columns are the same for every task; three hold LightEval's own objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agentics.lighteval.entry.columns import Columns, lightevals
from agentics.lighteval.entry.emit import OrderError, Stop
from agentics.lighteval.entry.hiding import first

_BATCH = 2000
VERSION = "1"


def run(order: dict[str, Any], folder: Path, emit: Callable[..., None], stop: Stop, kept: dict[str, Any]) -> None:  # noqa: ARG001
    """Carry out a details order. Raises OrderError (details_failed)."""
    import pyarrow  # noqa: PLC0415 - the worker's, and heavy
    from pyarrow import parquet  # noqa: PLC0415

    columns, target = Columns(pyarrow, order["metrics"]), folder / order["output"]
    half = target.with_name(f".{target.name}.half")
    try:
        for rows in _batches(folder / order["rows"]):
            columns.look(rows)
        schema = _schema(pyarrow, columns.types())
        with parquet.ParquetWriter(half, schema, compression="zstd") as writer:
            for rows in _batches(folder / order["rows"]):
                writer.write_table(pyarrow.Table.from_pylist([*map(columns.row, rows)], schema=schema))
    except Exception as error:
        half.unlink(missing_ok=True)
        msg = first(f"{target.name}: {type(error).__name__}: {error}", 2000)
        raise OrderError(msg, "details", "details_failed") from error
    half.chmod(0o644)
    half.rename(target)


def _schema(pyarrow: Any, own: Mapping[str, Any]) -> Any:  # noqa: ANN401 - pyarrow and its schema
    text, texts, whole = pyarrow.string(), pyarrow.list_(pyarrow.string()), pyarrow.int64()
    kinds = {
        "task": text,
        "fewshot": whole,
        "seed": whole,
        "doc_id": text,
        "sampling": text,
        "status": text,
        "query": text,
        "choices": texts,
        "gold": texts,
        "answer": texts,
        **own,
        "no_verdict": text,
        "judgements": text,
        "error": text,
        "finish_reasons": texts,
        "refusals": texts,
        "truncated": pyarrow.bool_(),
        "latency_s": pyarrow.float64(),
        "prompt_tokens": whole,
        "completion_tokens": whole,
        "key": text,
    }
    return pyarrow.schema(list(kinds.items()), metadata={"agentics.details": VERSION})


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for line in file:
            rows.append(lightevals(json.loads(line)))
            if len(rows) >= _BATCH:
                yield rows
                rows = []
    if rows:
        yield rows
