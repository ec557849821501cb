"""Writes `analysis/`: two documents, the tables as JSON lines, and the SQL that loads them into DuckDB."""

from __future__ import annotations

from types import NoneType
from typing import Any, Literal, get_args, get_origin

from agentics.model.document.record import Record
from agentics.model.run.analysis import Tables
from agentics.rundir.files.atomic import document_bytes, json_line, make_directory, write_bytes
from agentics.rundir.files.layout import Layout
from agentics.rundir.projections import analysis
from agentics.rundir.reader import RunView

_HEAD = """\
-- Load the tables of this run into DuckDB, from this directory: duckdb -init load_duckdb.sql
"""


def rendered(view: RunView) -> dict[str, bytes]:
    """The files by name, relative to `analysis/`."""
    sheet = analysis.read_sheet(view)
    found = analysis.tables(sheet)
    tables = {name: getattr(found, name) for name in Tables.model_fields}
    return {
        **{f"tables/{name}.jsonl": b"".join(map(_line, rows)) for name, rows in tables.items()},
        "load_duckdb.sql": load_sql().encode(),
        "comparisons.json": document_bytes(analysis.comparisons(sheet)),
        "summary.json": document_bytes(analysis.summary(sheet)),
    }


def write_analysis(layout: Layout, view: RunView) -> None:
    """Under the run's lock. What was there before is replaced, each file whole."""
    place = layout.root / "analysis"
    make_directory(place / "tables")
    for name, data in rendered(view).items():
        write_bytes(place / name, data)


def _line(row: Record) -> bytes:
    return json_line(row).encode() + b"\n"


def load_sql() -> str:
    """With the type of every column, so that an empty table has them too."""
    return _HEAD + "".join(_create(name, _row_model(name)) for name in Tables.model_fields)


def _create(table: str, model: type[Record]) -> str:
    columns = ", ".join(f"{name}: '{_type(field.annotation)}'" for name, field in model.model_fields.items())
    return (  # names of models' fields, and nothing that anybody could give
        f"\nCREATE OR REPLACE TABLE {table} AS\n"  # noqa: S608
        f"  SELECT * FROM read_json('tables/{table}.jsonl', format = 'newline_delimited',\n"
        f"    columns = {{{columns}}});\n"
    )


def _row_model(table: str) -> type[Record]:
    row: type[Record] = get_args(Tables.model_fields[table].annotation)[0]
    return row


def _type(annotation: Any) -> str:  # noqa: ANN401 - what stands behind a field's colon
    while get_origin(annotation) is not Literal and get_args(annotation):
        annotation = next(one for one in get_args(annotation) if one is not NoneType)
    return {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE"}.get(annotation, "VARCHAR")
