"""Trials and their attempts: what is written of each, in the order that lets a crash be understood afterwards.

The attempt's directory is made first, records go into it as they happen, its result comes last; the trial shows the
records of its newest attempt.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, JsonValue

from agentics.archive.hostile import remove
from agentics.errors import Refused, StorageError
from agentics.model.document.record import Ids
from agentics.model.run.directory import Chain, Scope, TrialInput, TrialMetadata, TrialResult, TrialRuntime
from agentics.rundir.files import safe_files
from agentics.rundir.files.atomic import (
    STAGING_PREFIX,
    document_bytes,
    fsync_directory,
    make_directory,
    read_document,
    storing,
    sync_files,
    write_bytes,
    write_document,
)
from agentics.rundir.open_run import OpenRun, SlotKey, Stand, transition_trial
from agentics.rundir.recover import end_of
from agentics.rundir.scope import differences, fingerprint

RecordName = Literal[
    "trial_input.json",
    "plan.json",
    "evidence.json",
    "state_inventory.json",
    "harness_stdout.log",
    "harness_stderr.log",
]


_IMAGES, _RELAXED = "images.", "config.relaxed"

SUSPENDED = "paused_by_user"
"""The exit reason of a trial that was asked to stop, and did: another attempt can go on from there. A frozen one has
none."""


@dataclass(frozen=True)
class Attempt:
    """One try of a trial. `root` is its directory: whatever else the try has to keep may lie there."""

    run: OpenRun
    ids: Ids
    number: int
    root: Path


def check_scopes(run: OpenRun, scopes: Mapping[SlotKey, Scope]) -> None:
    """Raises Refused (run_scope_mismatch) when a trial that is already there was made under another scope, however it
    ended.

    Images and relaxations are the operator's. They count only where the trial evaluated something: after an
    infrastructure fault the operator may have changed them to repair it. Images that could not be had do not count.
    """
    wrong: list[str] = []
    for slot, scope in scopes.items():
        metadata = _metadata(run, slot)
        if metadata is None:
            continue
        fields = differences(metadata.scope, scope)
        if not _has_evaluated(run, slot):
            fields = tuple(field for field in fields if not field.startswith((_IMAGES, _RELAXED)))
        elif not scope.images:
            fields = tuple(field for field in fields if not field.startswith(_IMAGES))
        if fields:
            wrong.append(f"{slot[1]} of {slot[0]} differs in {', '.join(fields)}")
    if wrong:
        msg = f"run {run.run_id} was made with another scope: {'; '.join(wrong)}"
        hint = "give this evaluation another --run-id, or evaluate everything anew with --no-resume"
        raise Refused(msg, code="run_scope_mismatch", hint=hint)


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a trial stands: in the list of tasks, and in the schedule; and what its settings come from."""

    task_index: int = 0
    schedule_idx: int | None = None
    runtime: TrialRuntime = TrialRuntime()  # noqa: RUF009 - frozen
    policy_merge: Mapping[str, JsonValue] = field(default_factory=dict)


def reserve(run: OpenRun, slots: Iterable[SlotKey]) -> None:
    """Give every slot its trial's id, in this order, whatever order they will be run in."""
    with run.guard:
        for slot in slots:
            if slot not in run.slots:
                run.slots[slot] = _next_id(run)


def trial_for(run: OpenRun, slot: SlotKey, scope: Scope, position: Position | None = None) -> Ids:
    """The trial that fills the slot, made if there is none; its scope becomes `scope`."""
    position = position or Position()
    with run.guard:
        reserve(run, (slot,))
        trial_id = run.slots[slot]
        variant, task, repl = slot
        ids = Ids(run_id=run.run_id, trial_id=trial_id, variant_id=variant, task_id=task, repl_idx=repl)
        metadata = TrialMetadata(
            ids=ids,
            task_index=position.task_index,
            schedule_idx=position.schedule_idx,
            chain=Chain(chain_id=trial_id),
            scope=scope,
            scope_fingerprint=fingerprint(scope),
            runtime=position.runtime,
            policy_merge=dict(position.policy_merge),
        )
        place = run.layout.trial(trial_id)
        make_directory(place.attempts)
        if _metadata(run, slot) != metadata:
            write_document(place.metadata, metadata)
        if position.schedule_idx is not None:
            run.schedule[trial_id] = position.schedule_idx
        return ids


def begin_attempt(
    run: OpenRun,
    ids: Ids,
    trial_input: TrialInput,
    plan: BaseModel | Mapping[str, JsonValue],
    *,
    checkpoint: str | None = None,
) -> Attempt:
    """The next attempt at a trial: numbered on from every earlier one, running from now on. `checkpoint`: the name of
    the newest one that its cases go on from."""
    with run.guard:
        place = run.layout.trial(ids.trial_id)
        number = place.last_attempt() + 1
        attempt = Attempt(run, ids, number, place.attempt(number))
        make_directory(attempt.root)
        transition_trial(run, ids, to="running", attempt=number, at=Stand(checkpoint=checkpoint))
        # Its presence says that the trial is complete, which is no longer so. The earlier attempt keeps its own.
        safe_files.unlink(place.result)
    record(attempt, "trial_input.json", trial_input)
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
    attempt.run.artifacts.commit()
    transition_trial(attempt.run, attempt.ids, to="killed", attempt=attempt.number, exit_reason=reason)


def suspend(attempt: Attempt, at: Stand) -> None:
    """The attempt ends without a result, at a checkpoint from which another attempt can go on."""
    attempt.run.artifacts.commit()
    transition_trial(
        attempt.run,
        attempt.ids,
        to="paused",
        attempt=attempt.number,
        exit_reason=SUSPENDED,
        at=at,
    )


def record_workspace(attempt: Attempt, documents: Mapping[str, BaseModel]) -> None:
    """Keep what is known of the attempt's workspace, by file name, in its `evidence/`: all of it, or nothing."""
    staging = attempt.root / f"{STAGING_PREFIX}evidence"
    with storing(staging):
        staging.mkdir()
        for name, document in documents.items():
            (staging / name).write_bytes(document_bytes(document))
        sync_files(staging, [staging / name for name in documents])
        staging.rename(attempt.root / "evidence")
        _show_newest(attempt)


def _show_newest(attempt: Attempt) -> None:
    """The trial shows the newest attempt's."""
    shown = attempt.run.layout.trial(attempt.ids.trial_id).root / "evidence"
    fresh = shown.with_name(f"{STAGING_PREFIX}evidence")
    shutil.copytree(attempt.root / "evidence", fresh)
    sync_files(fresh, list(fresh.iterdir()))
    remove(shown)
    fresh.rename(shown)
    fsync_directory(shown.parent)


def _without_known_secrets(run: OpenRun, document: BaseModel | Mapping[str, JsonValue]) -> bytes:
    value = document.model_dump(mode="json") if isinstance(document, BaseModel) else dict(document)
    shown = run.redactor.known_json(value)
    return document_bytes(shown if isinstance(shown, dict) else value)


def _metadata(run: OpenRun, slot: SlotKey) -> TrialMetadata | None:
    trial_id = run.slots.get(slot)
    return read_document(run.layout.trial(trial_id).metadata, TrialMetadata) if trial_id else None


def _has_evaluated(run: OpenRun, slot: SlotKey) -> bool:
    """Whether the newest attempt has a result that says something of the solution or of its challenge."""
    try:
        result = read_document(run.layout.trial(run.slots[slot]).result, TrialResult)
    except StorageError:
        return False
    return result is not None and result.ext.fault not in ("infrastructure", "user")


def _next_id(run: OpenRun) -> str:
    taken = {*(place.name for place in run.layout.trials.iterdir()), *run.slots.values()}
    numbers = (name.removeprefix("trial_") for name in taken)
    return f"trial_{max((int(n) for n in numbers if n.isdecimal()), default=0) + 1}"
