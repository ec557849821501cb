"""`agentics job tasks`: what a JobSpec can ask, from the catalogue of LightEval's tasks and from plugins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from agentics import config as configuration
from agentics.archive.documents import read_document
from agentics.cli.arguments import JsonOption, NameReader, PathReader
from agentics.cli.console import err, one_line, out, print_json
from agentics.config import Config
from agentics.errors import UsageError
from agentics.lighteval.catalogue import shipped
from agentics.lighteval.places import data_folder, plugin_folders
from agentics.lighteval.plugins import installed
from agentics.lighteval.rules.review import either
from agentics.lighteval.tasklist import ListedTask, counted, grouped, listed, matching
from agentics.model.document.parsing import invalid, load
from agentics.model.job.plugin import MANIFEST, RULES, PluginManifest

tasks_app = typer.Typer(help="The tasks that a JobSpec can name.", no_args_is_help=True)

Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        parser=PathReader("--plugin", "folder"),
        help="A plugin's folder, beside those of \\[lighteval] plugins; repeatable.",
        metavar="DIR",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Only those that run here without a network.")]

LIST_EPILOG = """
Examples:

  agentics job tasks list

  agentics job tasks list --offline --plugin docs/examples/plugins/quick-tasks
"""

SHOW_EPILOG = """
Examples:

  agentics job tasks show gsm8k

  agentics job tasks show mmlu --json
"""

SEARCH_EPILOG = """
Examples:

  agentics job tasks search math

  agentics job tasks search multilingual german
"""


def add(app: typer.Typer) -> None:
    app.add_typer(tasks_app, name="tasks")


@tasks_app.command("list", epilog=LIST_EPILOG)
def list_(
    plugins: Plugins = None,
    every: Annotated[bool, typer.Option("--all", help="A line for each task, and none for groups.")] = False,
    offline: Offline = False,
    json: JsonOption = False,
) -> None:
    """List the tasks; a name that stands for several is one line."""
    known = known_tasks(configuration.load(), plugins or ())
    found = [task for task in known if task.offline or not offline]
    _tell("job tasks list", found, {} if every else grouped(known), json=json)


@tasks_app.command("search", epilog=SEARCH_EPILOG)
def search(
    words: Annotated[
        list[str],
        typer.Argument(parser=NameReader("WORD"), help="Each must be in a task's name, description, tags, …"),
    ],
    plugins: Plugins = None,
    every: Annotated[bool, typer.Option("--all", help="A line for each task, and none for groups.")] = False,
    offline: Offline = False,
    json: JsonOption = False,
) -> None:
    """Find tasks by words in their names, descriptions, tags, languages, data sets and metrics."""
    known = known_tasks(configuration.load(), plugins or ())
    found = [task for task in matching(known, words) if task.offline or not offline]
    _tell("job tasks search", found, {} if every else grouped(known), json=json)


@tasks_app.command("show", epilog=SHOW_EPILOG)
def show(
    name: Annotated[str, typer.Argument(parser=NameReader("NAME"), help="A task, or a name that stands for several.")],
    plugins: Plugins = None,
    json: JsonOption = False,
) -> None:
    """Show a task: its data, splits, examples, metrics, and what can answer it."""
    config = configuration.load()
    found = find_tasks(known_tasks(config, plugins or ()), name)
    found = tuple(counted(task, data_folder(config)) for task in found)
    if json:
        said = [task.model_dump(mode="json") for task in found]
        print_json({"ok": True, "command": "job tasks show", "name": name, "tasks": said})
        return
    if len(found) > 1:
        out.print(f"[bold]{escape(name)}[/] stands for {len(found)} tasks: {', '.join(task.name for task in found)}")
        out.print("their first:")
    for label, text in _facts(found[0]):
        out.print(f"  [dim]{label:<14}[/] {escape(one_line(text, 1000))}")


def known_tasks(config: Config, plugins: Sequence[Path]) -> tuple[ListedTask, ...]:
    """Those of the catalogue, of the operator's plugins and of the plugins in these folders.

    Raises UsageError (plugin_not_found), InvalidDocument.
    """
    manifests = [*map(read_plugin, plugins), *installed(plugin_folders(config))]
    return listed(shipped(), manifests, data_folder(config))


def find_tasks(tasks: Iterable[ListedTask], name: str) -> tuple[ListedTask, ...]:
    """The task of that name, or those that it stands for. Raises UsageError (unknown_task)."""
    groups = grouped(tasks)
    by_name = {task.name: (task,) for each in groups.values() for task in each}
    found = by_name.get(name) or groups.get(name)
    if found is not None:
        return found
    near = either(get_close_matches(name, [*by_name, *groups], n=3))
    msg = f"no task is called {name!r:.100}"
    hint = near or "`agentics job tasks search WORD` finds them; a plugin's own need --plugin DIR"
    raise UsageError(msg, code="unknown_task", hint=hint)


def read_plugin(folder: Path) -> PluginManifest:
    """Raises UsageError (plugin_not_found), InvalidDocument."""
    file = folder / MANIFEST
    try:
        data = read_document(file, PluginManifest)
    except OSError as error:
        msg = f"{file}: {error.strerror}"
        raise UsageError(msg, code="plugin_not_found", hint=f"a plugin is a folder with {MANIFEST}") from error
    read = load(PluginManifest, data, str(file), RULES)
    if read.value is None or any(finding.severity == "error" for finding in read.findings):
        raise invalid(read.findings)
    return read.value


def _tell(
    command: str, found: Sequence[ListedTask], groups: Mapping[str, tuple[ListedTask, ...]], *, json: bool
) -> None:
    """As JSON, or a line for each of these groups that was found whole, and for each other task."""
    if json:
        said = [task.model_dump(mode="json") for task in found]
        print_json({"ok": True, "command": command, "lighteval": shipped().lighteval, "tasks": said})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("task", overflow="fold")
    for column in ("asked", "examples from", "metrics", "offline", "what it is"):
        table.add_column(column)
    for name, tasks in grouped(found).items():
        if len(tasks) > 1 and len(tasks) == len(groups.get(name, ())):
            table.add_row(*map(escape, _row(f"{name} ({len(tasks)})", tasks)))
            continue
        for task in tasks:
            table.add_row(*map(escape, _row(task.name, (task,))))
    out.print(table)
    err.print(f"{len(found)} tasks; `agentics job tasks show NAME` has more of each", style="dim")


def _row(name: str, tasks: Sequence[ListedTask]) -> tuple[str, ...]:
    metrics = dict.fromkeys(metric for task in tasks for metric in task.metrics)
    here = sum(task.offline for task in tasks)
    offline = "yes" if here == len(tasks) else "no" if not here else f"{here} of {len(tasks)}"
    asked = dict.fromkeys(", ".join(task.evaluation_splits) for task in tasks)
    examples = dict.fromkeys(task.examples_from or "-" for task in tasks)
    cells = (name, _some(asked), _some(examples), _some(metrics), offline, tasks[0].about)
    return tuple(one_line(cell, 60) for cell in cells)


def _some(names: Iterable[str]) -> str:
    first, *rest = names
    return f"{first}, …" if rest else first


def _facts(task: ListedTask) -> Iterator[tuple[str, str]]:
    yield "task", task.name
    yield "from", f"LightEval {shipped().lighteval}" if task.source == "lighteval" else f"the plugin {task.source}"
    if task.about:
        yield "about", task.about
    if task.dataset:
        yield "data set", f"{task.dataset} ({task.subset})" if task.subset else task.dataset
    yield "asked", f"the split {', '.join(task.evaluation_splits)}"
    yield "documents", "not known without the data" if task.documents is None else str(task.documents)
    yield "examples from", task.examples_from or "none of its own: they would come from the documents that are asked"
    if task.fewshot_pool is not None:
        yield "examples", f"at most {task.fewshot_pool}"
    judged = f"; of these ask a judge: {', '.join(task.judge_metrics)}" if task.judge_metrics else ""
    yield "metrics", f"{', '.join(task.metrics)}{judged}"
    size = "as many tokens as fit" if task.generation_size is None else f"at most {task.generation_size} tokens"
    yield "answers", f"{', '.join(task.sampling)}; {size}; {task.samples} to each question"
    yield "backends", ", ".join(task.backends) or "none: LightEval cannot measure perplexity"
    yield "offline", "yes" if task.needs is None else f"no: it needs {task.needs}"
    for label, words in (("languages", task.languages), ("tags", task.tags)):
        if words:
            yield label, ", ".join(words)
    if task.paper:
        yield "paper", task.paper
