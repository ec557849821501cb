"""`agentics run fork|replay|regrade`: what is made from the trials of a run."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from agentics import config as configuration
from agentics.cli.arguments import (
    AcceptAlterations,
    FreshSetup,
    JsonOption,
    NameReader,
    PathReader,
    RunDir,
    TrustOption,
)
from agentics.cli.console import one_line, out, print_json
from agentics.cli.control import Quiet
from agentics.cli.progress import shown
from agentics.errors import UsageError
from agentics.model.run.control import ForkManifest, ScoreChange
from agentics.usecases import fork_replay
from agentics.usecases.regrade import RegradeRequest
from agentics.usecases.regrade import regrade as grade_again

Strict = Annotated[bool, typer.Option("--strict", help="Refuse what is no exact repetition.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]

FORK_EPILOG = """
Example:

  agentics run fork outputs/nightly --from-trial trial_1 --at step:2 --set temperature=0.5 --dry-run
"""

REPLAY_EPILOG = """
Example:

  agentics run replay outputs/nightly --trial-id trial_1
"""

REGRADE_EPILOG = """
Example:

  agentics run regrade outputs/nightly --bundle bundles/range-sums --dry-run
"""


def add(app: typer.Typer) -> None:
    app.command("fork", epilog=FORK_EPILOG)(fork)
    app.command("replay", epilog=REPLAY_EPILOG)(replay)
    app.command("regrade", epilog=REGRADE_EPILOG)(regrade)


def fork(
    run: RunDir,
    from_trial: Annotated[
        str, typer.Option(parser=NameReader("--from-trial"), help="The committed trial to start from.")
    ],
    at: Annotated[
        str,
        typer.Option(
            parser=NameReader("--at"),
            metavar="SELECTOR",
            help="checkpoint:NAME, step:N or event_seq:N; without one, its input.",
        ),
    ] = "step:0",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", parser=NameReader("--set"), metavar="KEY=VALUE", help="Change a binding; VALUE is JSON, or text."
        ),
    ] = None,
    strict: Strict = False,
    dry_run: Dry = False,
    accept_alterations: AcceptAlterations = False,
    trust: TrustOption = False,
    json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Run a committed trial again from a checkpoint, or with other bindings, beside the run."""
    changes = dict(_binding(text) for text in set_ or ())
    wanted = fork_replay.ForkRequest(
        trial_id=from_trial,
        at=at,
        changes=changes,
        strict=strict,
        dry_run=dry_run,
        accept_alterations=accept_alterations,
        trust=trust,
    )
    with shown(quiet=quiet or json or dry_run, verbose=False) as observer:
        made = fork_replay.fork(run, wanted, configuration.load(), observer)
    if json:
        print_json({"ok": True, "command": "fork", "fork": made.facts()})
        return
    if isinstance(made.manifest, ForkManifest):
        for step in made.manifest.reuse:
            out.print(f"{step.action:6} {step.stage}: {escape(step.reason)}", highlight=False)
    _say(made)


def replay(
    run: RunDir,
    trial_id: Annotated[str, typer.Option(parser=NameReader("--trial-id"), help="The committed trial to run again.")],
    strict: Strict = False,
    fresh_setup: FreshSetup = False,
    accept_alterations: AcceptAlterations = False,
    trust: TrustOption = False,
    json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Run a committed trial again as it was recorded, and say what is no longer as it was."""
    wanted = fork_replay.ReplayRequest(
        trial_id=trial_id,
        strict=strict,
        fresh_setup=fresh_setup,
        accept_alterations=accept_alterations,
        trust=trust,
    )
    with shown(quiet=quiet or json, verbose=False) as observer:
        made = fork_replay.replay(run, wanted, configuration.load(), observer)
    if json:
        print_json({"ok": True, "command": "replay", "replay": made.facts()})
        return
    _say(made)


def regrade(
    run: RunDir,
    trial_id: Annotated[
        str | None,
        typer.Option(parser=NameReader("--trial-id"), help="Only this trial; every committed one if not said."),
    ] = None,
    bundle: Annotated[
        list[Path] | None,
        typer.Option(
            parser=PathReader("bundle"), help="A bundle to evaluate with instead; repeatable, all of the run's."
        ),
    ] = None,
    adapter_only: Annotated[bool, typer.Option("--adapter-only", help="Only the benchmark's adapter.")] = False,
    dry_run: Dry = False,
    accept_alterations: AcceptAlterations = False,
    trust: TrustOption = False,
    json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate again what solutions left, without running one. Earlier results stay in their attempts."""
    wanted = RegradeRequest(
        trial_id=trial_id,
        bundles=tuple(bundle or ()),
        adapter_only=adapter_only,
        dry_run=dry_run,
        accept_alterations=accept_alterations,
        trust=trust,
    )
    with shown(quiet=quiet or json, verbose=False) as observer:
        done = grade_again(run, wanted, configuration.load(), observer)
    if json:
        print_json({"ok": True, "command": "regrade", "regrade": done.facts()})
        return
    table = Table("trial", "variant", "task", "before", "after", box=None, pad_edge=False, header_style="bold")
    for change in done.manifest.changes:
        cells = (change.trial_id, change.variant_id, change.task_id, _before(change), _after(change))
        table.add_row(*(escape(one_line(cell)) for cell in cells))
    out.print(table)
    if dry_run:
        out.print("nothing was changed", style="dim")


def _say(made: fork_replay.Derived) -> None:
    words = made.manifest.replay_grade.replace("_", " ")
    ended = f"{made.status}{f' ({made.reason})' if made.reason else ''}" if made.status else "not run"
    out.print(f"{escape(str(made.directory))}: {ended}, {words}", highlight=False)


def _binding(text: str) -> tuple[str, Any]:
    """`k=v`, v as JSON where it is JSON. Raises UsageError."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        msg = f"--set {text!r} is not KEY=VALUE"
        raise UsageError(msg, code="bad_binding", hint="for example --set temperature=0.5")
    try:
        return name, jsonlib.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _before(change: ScoreChange) -> str:
    return _score(change.status_before, change.value_before)


def _after(change: ScoreChange) -> str:
    return f"- ({change.skipped})" if change.skipped else _score(change.status_after, change.value_after)


def _score(status: str | None, value: float | None) -> str:
    return f"{status or '-'}{f' {value:g}' if value is not None else ''}"
