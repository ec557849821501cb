"""`agentics run pause|resume|continue|kill|recover`: what a controller does to a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from agentics import config as configuration
from agentics.cli.arguments import AcceptAlterations, FreshSetup, JsonOption, NameReader, RunDir, TrustOption
from agentics.cli.console import leave, one_line, out, print_json
from agentics.cli.progress import shown
from agentics.cli.report import show_ended
from agentics.errors import UsageError
from agentics.model.run.control import ControlResponse
from agentics.rundir.reader import read_run
from agentics.usecases import control_run
from agentics.usecases.evaluate import EndedRun

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]

PAUSE_EPILOG = """
Solutions that take part in their own control are asked for a checkpoint, and to stop; all others are frozen where they
are. Paused time counts against no limit.

Example:

  agentics run pause outputs/nightly --label lunch
"""

RESUME_EPILOG = """
Example:

  agentics run resume outputs/nightly
"""

CONTINUE_EPILOG = """
A completed run of models goes on too, where tasks failed or lack answers: what was answered is not asked again.

Exit codes are those of `agentics eval`.

Example:

  agentics run continue outputs/nightly
"""

KILL_EPILOG = """
Example:

  agentics run kill outputs/nightly
"""

RECOVER_EPILOG = """
Example:

  agentics run recover outputs/nightly
"""


def add(app: typer.Typer) -> None:
    app.command("pause", epilog=PAUSE_EPILOG)(pause)
    app.command("resume", epilog=RESUME_EPILOG)(resume)
    app.command("continue", epilog=CONTINUE_EPILOG)(continue_)
    app.command("kill", epilog=KILL_EPILOG)(kill)
    app.command("recover", epilog=RECOVER_EPILOG)(recover)


def pause(
    run: RunDir,
    trial_id: Annotated[
        str | None, typer.Option(parser=NameReader("--trial-id"), help="Only this trial; every active one if not said.")
    ] = None,
    label: Annotated[str | None, typer.Option(parser=NameReader("--label"), help="What to call this pause.")] = None,
    timeout_seconds: Annotated[float, typer.Option(min=0.1, help="How long solutions may take to answer.")] = 60.0,
    json: JsonOption = False,
) -> None:
    """Pause a run that is going on."""
    answer = control_run.pause(run, trial_id=trial_id, label=label, timeout_s=timeout_seconds)
    facts = {
        "run_id": read_run(run).manifest.run_id,
        "trial_id": answer.trial_ids[0] if len(answer.trial_ids) == 1 else None,
        "trial_ids": list(answer.trial_ids),
        "label": answer.label,
        "pause_mode": answer.pause_mode,
        "checkpoint_acked": answer.checkpoint_acked,
        "stop_acked": answer.stop_acked,
    }
    _tell("pause", facts, f"paused {_trials(answer)} ({answer.pause_mode}) as {answer.label}", json=json)


def resume(
    run: RunDir,
    trial_id: Annotated[
        str | None, typer.Option(parser=NameReader("--trial-id"), help="Only this trial; every paused one if not said.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(parser=NameReader("--label"), help="Only if this is what the pause was called.")
    ] = None,
    json: JsonOption = False,
    fresh_setup: FreshSetup = False,
    accept_alterations: AcceptAlterations = False,
    trust: TrustOption = False,
    quiet: Quiet = False,
) -> None:
    """Let a paused run go on: where its process lives it is thawed, otherwise this one goes on from the checkpoints."""
    control_run.check_label(run, label)
    answer = control_run.unfreeze(run, trial_id=trial_id)
    if answer is not None:
        thawed = {
            "trial_id": next(iter(answer.trial_ids), None),
            "trial_ids": list(answer.trial_ids),
            "mode": "runtime_unpause",
        }
        _tell("resume", thawed, f"{_trials(answer)} goes on", json=json)
        return
    checkpoints = {state.trial_id: state.checkpoint_selected for state in control_run.paused_trials(read_run(run))}
    if trial_id is not None and trial_id not in checkpoints:
        msg = f"{trial_id} is not paused"
        raise UsageError(msg, code="resume_trial_not_paused", hint=f"paused: {', '.join(checkpoints) or 'none'}")
    changes = _changes(
        run, fresh_setup=fresh_setup, accept_alterations=accept_alterations, trial_id=trial_id, label=label
    )
    with shown(quiet=quiet or json, verbose=False) as observer:
        ended = control_run.continue_run(
            run, configuration.load(), observer, operation="resume", changes=changes, trust=trust
        )
    facts: dict[str, Any] = {
        "trial_id": next(iter(checkpoints), None),
        "trial_ids": list(checkpoints),
        "mode": "checkpoint" if any(checkpoints.values()) else "restart",
        "checkpoints": checkpoints,
    }
    _end(ended, "resume", facts, json=json)


def continue_(
    run: RunDir,
    fresh_setup: FreshSetup = False,
    accept_alterations: AcceptAlterations = False,
    trust: TrustOption = False,
    json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was interrupted, failed, or paused and left; what is complete is not run again."""
    changes = _changes(run, fresh_setup=fresh_setup, accept_alterations=accept_alterations)
    with shown(quiet=quiet or json, verbose=False) as observer:
        ended = control_run.continue_run(run, configuration.load(), observer, changes=changes, trust=trust)
    _end(ended, "continue", {"run": {"run_id": ended.run_id, "run_dir": str(ended.run_dir)}}, json=json)


def kill(run: RunDir, accept_alterations: AcceptAlterations = False, json: JsonOption = False) -> None:
    """End a run for good: its containers are gone before its state says so."""
    killed = control_run.kill(run, configuration.load(), accept_alterations=accept_alterations)
    facts = {"run_id": killed.run_id, "trial_ids": list(killed.trial_ids)}
    _tell("kill", facts, f"killed {killed.run_id}", json=json)


def recover(
    run: RunDir,
    force: Annotated[bool, typer.Option("--force", help="Also while another host's lease has not run out.")] = False,
    accept_alterations: AcceptAlterations = False,
    json: JsonOption = False,
) -> None:
    """Bring a run whose process died into order, so that it can be continued."""
    report = control_run.recover(run, force=force, accept_alterations=accept_alterations)
    text = f"{report.run_id} was {report.previous_status}, is {report.recovered_status}"
    released = report.active_trials_released
    _tell(
        "recover",
        report.model_dump(mode="json"),
        text + (f"; lost: {', '.join(released)}" if released else ""),
        json=json,
    )


def _changes(run: Path, *, fresh_setup: bool, accept_alterations: bool, **options: str | None) -> dict[str, Any]:
    """What an invocation has of its own: how it was called, and the options that are fields of a request."""
    flags = {"fresh_setup": fresh_setup, "accept_alterations": accept_alterations}
    given = {"run": str(run), **{name: given or None for name, given in flags.items()}, **options}
    cli_args = {key: value for key, value in given.items() if value is not None}
    return {"argv": tuple(sys.argv), "cli_args": cli_args, **flags}


def _tell(command: str, facts: dict[str, Any], text: str, *, json: bool) -> None:
    if json:
        print_json({"ok": True, "command": command, command: facts})
    else:
        out.print(escape(one_line(text, 2000)), highlight=False)


def _end(ended: EndedRun, command: str, facts: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json({**ended.envelope(), "command": command, command: facts})
    else:
        show_ended(ended)
    leave(ended.exit_status)


def _trials(answer: ControlResponse) -> str:
    return ", ".join(answer.trial_ids)
