"""`agentics schema`: the JSON Schemas of every document, generated from the models; and whether documents keep them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agentics.cli.arguments import JsonOption, PathReader
from agentics.cli.console import err, leave, one_line, out, print_json
from agentics.cli.findings import show_findings
from agentics.errors import UsageError
from agentics.model.document.finding import Finding
from agentics.rundir.integrity.validate import validate as validate_path
from agentics.schemas import export as write_schemas
from agentics.schemas import stale as stale_schemas

app = typer.Typer(help="JSON Schemas of every document.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="schema")


EXPORT_EPILOG = """
Example:

  agentics schema export schemas
"""

CHECK_EPILOG = """
Exit codes: 0 all are current · 1 some are not.

Example:

  agentics schema check schemas
"""


VALIDATE_EPILOG = """
A directory is a run: every .json and .jsonl file in it must be one that belongs there, and what it should be. A file is
checked by what its schema_version says, or by its name.

Exit codes: 0 everything is valid · 1 something is not.

Examples:

  agentics schema validate outputs/nightly

  agentics schema validate result.json bundles/range-sums/v1/spec.json --json
"""


@app.command("export", epilog=EXPORT_EPILOG)
def export(
    folder: Annotated[
        Path, typer.Argument(parser=PathReader("schema directory", "folder"), help="Where the files go.")
    ] = Path("schemas"),
    json: JsonOption = False,
) -> None:
    """Write a Draft 2020-12 schema for every document."""
    files = write_schemas(folder)
    if json:
        print_json({"ok": True, "command": "schema export", "folder": str(folder), "files": files})
    else:
        out.print(f"{len(files)} schemas in {escape(one_line(str(folder)))}")


@app.command("check", epilog=CHECK_EPILOG)
def check(
    folder: Annotated[Path, typer.Argument(parser=PathReader("schema directory"), help="Where the files are.")] = Path(
        "schemas"
    ),
    json: JsonOption = False,
) -> None:
    """Exit 1 when a file differs from what the models say."""
    stale = stale_schemas(folder)
    hint = f"agentics schema export {folder}"
    if json:
        print_json(_checked(folder, stale, hint))
    else:
        for name in stale:
            err.print(f"[red]stale[/] {escape(one_line(name))}; run `{escape(one_line(hint))}`")
    leave(1 if stale else 0)


def _checked(folder: Path, stale: list[str], hint: str) -> dict[str, object]:
    body: dict[str, object] = {"ok": not stale, "command": "schema check", "folder": str(folder), "stale": stale}
    if stale:
        message = f"{stale[0]}: not what the models say"
        body["error"] = {"code": "stale_schema", "message": message, "hint": hint, "details": {"exit_status": 1}}
    return body


@app.command("validate", epilog=VALIDATE_EPILOG)
def validate(
    paths: Annotated[list[Path], typer.Argument(parser=PathReader("document"), help="Run directories and documents.")],
    json: JsonOption = False,
) -> None:
    """Check documents against their models; every problem with its file, line and JSON pointer."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        msg = f"{missing[0]}: no such file or directory"
        raise UsageError(msg, code="no_such_file")
    looked = [validate_path(path) for path in paths]
    checked, findings = sum(number for number, _ in looked), [f for _, found in looked for f in found]
    errors = [finding for finding in findings if finding.severity == "error"]
    if json:
        print_json(_envelope(paths, checked, findings))
    else:
        show_findings(findings)
        out.print(f"{checked} files checked, {len(errors)} problems")
    leave(1 if errors else 0)


def _envelope(paths: list[Path], checked: int, findings: list[Finding]) -> dict[str, object]:
    first = next((finding for finding in findings if finding.severity == "error"), None)
    body: dict[str, object] = {
        "ok": first is None,
        "command": "schema validate",
        "valid": first is None,
        "paths": [str(path) for path in paths],
        "checked": checked,
        "findings": [asdict(finding) for finding in findings],
    }
    if first is not None:
        place = f"{first.file}:{first.line}" if first.line else first.file
        error = {"code": "invalid_document", "message": f"{place}: {first.message}", "hint": first.hint}
        body["error"] = {**error, "details": {"exit_status": 1}}
    return body
