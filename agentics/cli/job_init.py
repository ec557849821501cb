"""`agentics job init`: a JobSpec from the names of tasks and a model."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agentics import config as configuration
from agentics.cli.arguments import NameReader, PathReader
from agentics.cli.console import one_line, out, print_json
from agentics.cli.findings import show_findings
from agentics.cli.job_tasks import Plugins, find_tasks, known_tasks, read_plugin
from agentics.errors import UsageError
from agentics.lighteval.newspec import DUMMY, Answering, new_spec, task_of
from agentics.request.job_file import check_file

EPILOG = """
What `job check` finds in the new file is shown, and is no failure: a data set may have to be fetched first.

Examples:

  agentics job init gsm8k --base-url http://172.17.0.1:8000/v1 --model my-model --max-samples 20

  agentics job init quick_capitals --plugin docs/examples/plugins/quick-tasks --file quick.json
"""


def add(app: typer.Typer) -> None:
    app.command("init", epilog=EPILOG)(init)


def init(
    tasks: Annotated[
        list[str], typer.Argument(parser=NameReader("TASK"), help="NAME, or NAME|EXAMPLES for few-shot examples.")
    ],
    model: Annotated[
        str,
        typer.Option(
            parser=NameReader("--model"),
            help="`dummy`, a checkpoint's folder, a plugin's class, or a server's name.",
        ),
    ] = DUMMY,
    base_url: Annotated[
        str | None, typer.Option(parser=NameReader("--base-url"), help="The server, of OpenAI's API.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(parser=NameReader("--provider"), help="A provider that litellm knows.")
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(parser=NameReader("--api-key-env"), help="The environment variable that has the key."),
    ] = None,
    plugins: Plugins = None,
    max_samples: Annotated[int | None, typer.Option(min=1, help="Only the first documents of each task.")] = None,
    file: Annotated[Path, typer.Option(parser=PathReader("--file", "write"), help="Where the JobSpec goes.")] = Path(
        "job.json"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write a JobSpec from tasks and a model, and check it. Starts nothing."""
    known = known_tasks(configuration.load(), plugins or ())
    asked = {(name, shots): find_tasks(known, name) for name, shots in map(task_of, tasks)}
    answering = Answering(model=model, base_url=base_url, provider=provider, api_key_env=api_key_env)
    own = {folder: read_plugin(folder) for folder in plugins or ()}
    spec = new_spec(asked, answering, own, file.parent, max_samples)
    _write(file, jsonlib.dumps(spec, indent=2, ensure_ascii=False) + "\n", force=force)
    checked = check_file(file, configuration.load())
    if json:
        findings = [asdict(finding) for finding in checked.findings]
        about = {"file": str(file), "jobspec": spec, "in_order": checked.job is not None, "findings": findings}
        print_json({"ok": True, "command": "job init", **about})
        return
    out.print(f"written [bold]{escape(one_line(str(file)))}[/]")
    show_findings(checked.findings)


def _write(file: Path, text: str, *, force: bool) -> None:
    """Raises UsageError (file_exists, usage)."""
    try:
        with file.open("w" if force else "x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError as error:
        msg = f"{file} is there already"
        raise UsageError(msg, code="file_exists", hint="another --file, or --force to replace it") from error
    except OSError as error:
        msg = f"{file}: {error.strerror}"
        raise UsageError(msg) from error
