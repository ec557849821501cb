"""`details`: detail rows as Parquet, in one schema whatever is in them, so that files of all tasks concatenate."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agentics.lighteval.entry.emit import OrderError, Stop

_BATCH = 2000
VERSION = "1"


def run(order: dict[str, Any], folder: Path, emit: Callable[..., None], stop: Stop, kept: dict[str, Any]) -> None:  # noqa: ARG001
    """Carry out a details order. Raises OrderError (details_failed)."""
    import pyarrow  # noqa: PLC0415 - the worker's, and heavy
    from pyarrow import parquet  # noqa: PLC0415

    schema, target = _schema(pyarrow), folder / order["output"]
    half = target.with_name(f".{target.name}.half")
    try:
        with parquet.ParquetWriter(half, schema, compression="zstd") as writer:
            for rows in _batches(folder / order["rows"]):
                writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
    except Exception as error:
        half.unlink(missing_ok=True)
        msg = f"{target.name}: {type(error).__name__}: {error}"[:2000]
        raise OrderError(msg, "details", "details_failed") from error
    half.chmod(0o644)
    half.rename(target)


def _schema(pyarrow: Any) -> Any:  # noqa: ANN401 - pyarrow and its schema
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
        "doc": text,
        "model_response": text,
        "metric": text,
        "judgements": text,
        "error": text,
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
            rows.append(json.loads(line))
            if len(rows) >= _BATCH:
                yield rows
                rows = []
    if rows:
        yield rows
