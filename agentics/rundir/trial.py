"""Trials and their attempts: what is written of each, in the order that lets a crash be understood afterwards.

The attempt's directory is made first, records go into it as they happen, its result comes last; the trial shows the
records of its newest attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, JsonValue

from agentics.errors import Refused
from agentics.model.record import Ids
from agentics.model.rundir import Scope, TrialInput, TrialMetadata, TrialResult
from agentics.rundir.atomic import document_bytes, make_directory, read_document, write_bytes, write_document
from agentics.rundir.held import Run, Slot, transition_trial
from agentics.rundir.recover import end_of
from agentics.rundir.scope import differences, fingerprint

RecordName = Literal["plan.json", "evidence.json", "harness_stdout.log", "harness_stderr.log"]


@dataclass(frozen=True)
class Attempt:
    """One try of a trial. `root` is its directory: whatever else the try has to keep may lie there."""

    run: Run
    ids: Ids
    number: int
    root: Path


def check_scopes(run: Run, scopes: Mapping[Slot, Scope]) -> None:
    """Raises Refused (run_scope_mismatch) when a trial that is already there was made under another scope."""
    wrong: list[str] = []
    for slot, scope in scopes.items():
        metadata = _metadata(run, slot)
        if metadata is not None and (fields := differences(metadata.scope, scope)):
            wrong.append(f"{slot[1]} of {slot[0]} differs in {', '.join(fields)}")
    if wrong:
        msg = f"run {run.run_id} was made with another scope: {'; '.join(wrong)}"
        hint = "give this evaluation another --run-id, or evaluate everything anew with --no-resume"
        raise Refused(msg, code="run_scope_mismatch", hint=hint)


def trial_for(run: Run, slot: Slot, scope: Scope, *, task_index: int = 0) -> Ids:
    """The trial that fills the slot, made if there is none; its scope becomes `scope`."""
    with run.guard:
        trial_id = run.slots.get(slot) or _next_id(run)
        variant, task, repl = slot
        ids = Ids(run_id=run.run_id, trial_id=trial_id, variant_id=variant, task_id=task, repl_idx=repl)
        metadata = TrialMetadata(ids=ids, task_index=task_index, scope=scope, scope_fingerprint=fingerprint(scope))
        place = run.layout.trial(trial_id)
        make_directory(place.attempts)
        if slot not in run.slots or _metadata(run, slot) != metadata:
            write_document(place.metadata, metadata)
        run.slots[slot] = trial_id
        return ids


def begin_attempt(run: Run, ids: Ids, trial_input: TrialInput, plan: BaseModel | Mapping[str, JsonValue]) -> Attempt:
    """The next attempt at a trial: numbered on from every earlier one, running from now on."""
    with run.guard:
        place = run.layout.trial(ids.trial_id)
        number = place.last_attempt() + 1
        attempt = Attempt(run, ids, number, place.attempt(number))
        make_directory(attempt.root)
        transition_trial(run, ids, to="running", attempt=number)
        # Its presence says that the trial is complete, which is no longer so. The earlier attempt keeps its own.
        place.result.unlink(missing_ok=True)
    write_bytes(place.root / "trial_input.json", _without_known_secrets(run, trial_input))
    record(attempt, "plan.json", plan)
    return attempt


def record(attempt: Attempt, name: RecordName, content: BaseModel | Mapping[str, JsonValue] | bytes) -> None:
    """Keep a record of the attempt. Artifacts put before are committed first, so no record names a missing one."""
    attempt.run.artifacts.commit()
    data = content if isinstance(content, bytes) else _without_known_secrets(attempt.run, content)
    write_bytes(attempt.root / name, data)
    write_bytes(attempt.run.layout.trial(attempt.ids.trial_id).root / name, data)


def finish(attempt: Attempt, result: TrialResult) -> None:
    """The attempt ends with a result, and the trial with it until another attempt begins."""
    if result.ids != attempt.ids or result.ext.attempt != attempt.number:
        msg = f"{attempt.ids.trial_id}, attempt {attempt.number}: the result names another trial or attempt"
        raise ValueError(msg)
    attempt.run.artifacts.commit()
    data = _without_known_secrets(attempt.run, result)
    write_bytes(attempt.root / "result.json", data)
    write_bytes(attempt.run.layout.trial(attempt.ids.trial_id).result, data)
    status, reason = end_of(result)
    transition_trial(attempt.run, attempt.ids, to=status, attempt=attempt.number, exit_reason=reason)


def abandon(attempt: Attempt, reason: str) -> None:
    """The attempt ends without a result: it was interrupted, and the task is pending again."""
    transition_trial(attempt.run, attempt.ids, to="killed", attempt=attempt.number, exit_reason=reason)


def _without_known_secrets(run: Run, document: BaseModel | Mapping[str, JsonValue]) -> bytes:
    value = document.model_dump(mode="json") if isinstance(document, BaseModel) else dict(document)
    shown = run.redactor.known_json(value)
    return document_bytes(shown if isinstance(shown, dict) else value)


def _metadata(run: Run, slot: Slot) -> TrialMetadata | None:
    trial_id = run.slots.get(slot)
    return read_document(run.layout.trial(trial_id).metadata, TrialMetadata) if trial_id else None


def _next_id(run: Run) -> str:
    numbers = (place.name.removeprefix("trial_") for place in run.layout.trials.iterdir())
    return f"trial_{max((int(n) for n in numbers if n.isdecimal()), default=0) + 1}"
