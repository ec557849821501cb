"""run_outcome.json, run_summary.json and task_status.json of a variant, as projections of what the run holds.

`rebuild_outcome` only reads; `project` writes, under the run's lock. Both give the same for the same directory, but for
the time of writing. Write the trial's result first, then project.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agentics.errors import StorageError, UsageError
from agentics.model.document.record import Fault
from agentics.model.run.directory import InvocationEnded, InvocationStarted
from agentics.model.run.outcome import (
    COMPLETED,
    ArtifactPath,
    Artifacts,
    ErrorRecord,
    RunOutcome,
    RunSummary,
    TaskFacts,
    TaskRecord,
    TaskStatus,
)
from agentics.policy.outcome.replications import combined
from agentics.policy.outcome.run_outcome import RunFacts, build_outcome, lacks_answers, merge_summary, to_run
from agentics.rundir.files import safe_files
from agentics.rundir.files.atomic import (
    document_bytes,
    make_directory,
    read_document,
    utc_now,
    write_bytes,
    write_document,
)
from agentics.rundir.files.layout import Layout
from agentics.rundir.open_run import OpenRun, SlotKey
from agentics.rundir.projections.tasks import details_of, diagnostics_of, metrics_of, skipped_facts, task_facts
from agentics.rundir.reader import RunView, TrialView, read_run

EXIT_LOST = 1
"""The exit code of an invocation that did not live to write its own."""

_NOT_ENDED = ErrorRecord(
    stage="interrupted", error_type="unfinished", message="the end was not written: still running, or its process died"
)


def rebuild_outcome(root: Path, variant: str, *, at: str) -> RunOutcome:
    """The outcome of a variant (its directory's name) as of its newest invocation. `at`: the time of writing."""
    return _outcome(read_run(root), variant, at)


@dataclass(frozen=True, kw_only=True)
class Projected:
    """What the run says of a variant. `statuses`: of every task it was ever asked for, by path; None while pending."""

    outcome: RunOutcome
    summary: RunSummary
    statuses: Mapping[Path, TaskStatus | None]


def projected(view: RunView, variant: str, *, at: str) -> Projected:
    """The projections of a variant, from nothing but what the run holds. `at`: the time of writing."""
    outcome = _outcome(view, variant, at)
    starts = [e for e in view.entries if isinstance(e, InvocationStarted) and variant in e.variants]
    newest = {ref: started for started in starts for ref in started.requested.get(variant, ())}
    records = [_record(view, started, variant, ref) for ref, started in newest.items()]
    return Projected(
        outcome=outcome,
        summary=_summary(view, outcome),
        statuses={view.layout.task_status(variant, r.task): _task_status(view, outcome.model, r) for r in records},
    )


def project(run: OpenRun, variant: str, *, at: str | None = None) -> RunOutcome:
    """Write the three projections of a variant, the outcome last. For every task asked for; a pending one has no
    task_status.json."""
    with run.guard:
        found = projected(read_run(run.root), variant, at=at or utc_now())
        for path, status in found.statuses.items():
            _write_status(path, status)
        write_document(run.layout.summary(variant), merge_summary(_older_summary(run.layout, variant), found.summary))
        write_document(run.layout.outcome(variant), found.outcome)
    return found.outcome


def tasks_to_run(run: OpenRun, variant: str, refs: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `refs` that resuming has to run: no task_status.json, an unreadable one, one that is not completed, or
    one of a model some of whose answers are missing.

    After a crash the projections are brought up to date first, so that a result that was written counts.
    """
    view = read_run(run.root) if run.layout.manifest.exists() else None
    if view is not None and variant in view.variants and _behind(run, view, variant):
        project(run, variant)
    return tuple(ref for ref in refs if to_run(*_status_on_disk(run.layout, variant, ref)))


def slot_is_open(view: RunView, slot: SlotKey) -> bool:
    """Whether the replication of a task that has to be run has to be run itself."""
    trial = _trial(view, slot)
    return trial is None or trial.result is None or to_run(trial.result.ext.status, trial.result.ext.fault)


def has_verdict(view: RunView, slot: SlotKey) -> bool:
    """Whether a trial of the slot came to an end that says something of its solution: also that it failed. A model some
    of whose answers are missing has none yet."""
    trial = _trial(view, slot)
    if trial is None or trial.result is None:
        return False
    status, fault = trial.result.ext.status, trial.result.ext.fault
    return status not in ("error", "pending") and not lacks_answers(status, fault)


def _behind(run: OpenRun, view: RunView, variant: str) -> bool:
    """Whether the projections say less than the run holds: whoever had to write them last did not come to it."""
    if run.unfinished or run.recovered:
        return True
    last = max((e.ended_at for e in view.entries if isinstance(e, InvocationEnded)), default="")
    try:
        outcome = read_document(run.layout.outcome(variant), RunOutcome)
    except StorageError:
        return True
    return outcome is None or outcome.timestamp < last


def _status_on_disk(layout: Layout, variant: str, ref: str) -> tuple[str | None, Fault | None]:
    try:
        status = read_document(layout.task_status(variant, ref), TaskStatus)
    except StorageError:
        return None, None
    return (status.status, status.fault) if status is not None and status.task == ref else (None, None)


def _outcome(view: RunView, variant: str, at: str) -> RunOutcome:
    started = _newest_start(view, variant)
    ended = next(
        (e for e in view.entries if isinstance(e, InvocationEnded) and e.invocation_id == started.invocation_id), None
    )
    tasks = [_record(view, started, variant, ref) for ref in started.requested.get(variant, ())]
    ended_at = ended.ended_at if ended else max([started.started_at, *(t.updated_at for t in tasks)])
    facts = RunFacts(
        model=started.variants[variant],
        run_id=view.manifest.run_id,
        agentics_version=started.agentics_version,
        written_at=at,
        started_at=started.started_at,
        ended_at=ended_at,
        duration_s=ended.duration_s if ended else _seconds(started.started_at, ended_at),
        exit_policy=started.exit_policy,
        invocation=started.invocation,
        git=started.git,
        artifacts=_artifacts(view.layout, variant),
        fatal=ended.fatal if ended else EXIT_LOST,
        errors=ended.errors if ended else (_NOT_ENDED,),
        limit=started.limit,
    )
    return build_outcome(facts, tasks)


def _newest_start(view: RunView, variant: str) -> InvocationStarted:
    starts = (e for e in reversed(view.entries) if isinstance(e, InvocationStarted) and variant in e.variants)
    started = next(starts, None)
    if started is None:
        msg = f"{view.layout.root}: no variant {variant!r}"
        raise UsageError(msg, code="no_such_variant")
    return started


def _record(view: RunView, started: InvocationStarted, variant: str, ref: str) -> TaskRecord:
    name = started.variants[variant]
    facts = combined([_slot_facts(view, started, (name, ref, repl)) for repl in range(started.replications)])
    place = {"completed": facts.status in COMPLETED, "task_output_dir": str(view.layout.task(variant, ref))}
    results = [trial.result for trial in view.by_task.get((name, ref), ()) if trial.result is not None]
    diagnostics = diagnostics_of(results)
    return TaskRecord.model_validate({**facts.model_dump(), **place, "diagnostics": diagnostics})


def _slot_facts(view: RunView, started: InvocationStarted, slot: SlotKey) -> TaskFacts:
    facts = task_facts(slot[1], _trial(view, slot), since=started.started_at)
    skipped = view.skips.get(slot)
    if skipped is not None and (facts.trial_id is None or facts.updated_at < skipped.at):
        return skipped_facts(skipped)
    return facts


def _trial(view: RunView, slot: SlotKey) -> TrialView | None:
    return view.by_slot.get(slot)


def _task_status(view: RunView, name: str, record: TaskRecord) -> TaskStatus | None:
    if record.status == "pending":
        return None
    trials = view.by_task.get((name, record.task), ())
    erred = next((t for t in trials if t.result is not None and t.result.outcome == "error"), None)
    facts = {field: getattr(record, field) for field in TaskFacts.model_fields}
    return TaskStatus(**facts, details=details_of(erred, record))


def _write_status(path: Path, status: TaskStatus | None) -> None:
    if status is None:
        safe_files.unlink(path)
        return
    data = document_bytes(status)
    if not safe_files.is_file(path) or safe_files.read_file(path) != data:
        make_directory(path.parent)
        write_bytes(path, data)


def _older_summary(layout: Layout, variant: str) -> RunSummary | None:
    with contextlib.suppress(StorageError):
        return read_document(layout.summary(variant), RunSummary)
    return None


def _summary(view: RunView, outcome: RunOutcome) -> RunSummary:
    measured = {
        t.ids.task_id: t.measured
        for t in sorted(view.trials, key=lambda trial: -trial.ids.repl_idx)  # the first replication stands for all
        if t.ids.variant_id == outcome.model and t.measured
    }
    return RunSummary(
        model=outcome.model,
        run_id=outcome.run_id,
        timestamp=outcome.timestamp,
        tasks={ref: metrics_of(result) for ref, result in sorted(measured.items())},
        diagnostics=outcome.diagnostics,
    )


def _artifacts(layout: Layout, variant: str) -> Artifacts:
    place = layout.variant(variant)

    def at(path: Path, *, exists: bool | None = None) -> ArtifactPath:
        return ArtifactPath(path=str(path), exists=path.exists() if exists is None else exists)

    return Artifacts(
        model_output_dir=at(place, exists=True),
        run_outcome=at(layout.outcome(variant), exists=True),
        run_summary=at(layout.summary(variant), exists=True),
        probe_report=at(place / "probe_report.json"),
        probe_summary=at(place / "probe_summary.txt"),
        log_file=at(layout.log),
        task_status_glob=str(place / "*" / "task_status.json"),
        task_per_sample_metrics_glob=str(place / "*" / "*_per_sample_metrics.json"),
        task_performance_summary_glob=str(place / "*" / "*_performance_summary.json"),
    )


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
