"""The campaign: every requested trial that is not complete yet, one after the other, in one run directory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from agentics.control.active_attempts import ActiveAttempts
from agentics.control.controller_requests import controlled
from agentics.control.signals import StopSignal, stopping
from agentics.errors import AgenticsError, BenchmarkError, EngineError, Stopped
from agentics.model.document.finding import error_body
from agentics.model.run.design import AdapterCommand
from agentics.model.run.outcome import RunOutcome
from agentics.pipeline.progress import Observer, Progress
from agentics.policy.outcome.run_outcome import exit_code
from agentics.request.campaign import Campaign, SolutionPlan
from agentics.request.job import ModelPlan
from agentics.request.planned_trial import PlannedTrial
from agentics.request.scopes import scope_of, trial_slot
from agentics.request.trial_images import ReadyImages, unservable
from agentics.rundir.derived import commit_derived
from agentics.rundir.files.layout import Layout
from agentics.rundir.files.names import run_id
from agentics.rundir.open_run import OpenRun, SlotKey
from agentics.rundir.projections.explain import dumped, explanations
from agentics.rundir.projections.outcome import has_verdict, project, slot_is_open, tasks_to_run
from agentics.rundir.projections.rebuild import write_projections
from agentics.rundir.reader import read_run
from agentics.rundir.run import open_run
from agentics.rundir.trial import check_scopes
from agentics.runner.adapter import run_adapter
from agentics.runner.invocation_recorder import InvocationRecorder
from agentics.runner.machine import evaluator_uid
from agentics.runner.publishing import check_stores, keep_jobspecs, publish_jobs
from agentics.runner.run_events import RunEvents, Sink
from agentics.runner.run_log import logged
from agentics.runner.run_resources import RunResources, attempts_without_engine, open_resources
from agentics.runner.schedule_runner import TrialWork, run_schedule

_GOING_ON = frozenset({"continue", "resume"})
_STOPPING = Progress(kind="note", facts={"text": "stopping in good order; the same signal once more ends it at once"})


@dataclass(frozen=True, kw_only=True)
class EndedRun:
    """How an evaluation ended: an outcome for each variant, and the exit status that the policy gives."""

    run_id: str
    run_dir: Path
    outcomes: tuple[RunOutcome, ...]
    exit_status: int
    error: BenchmarkError | None = None
    """Why an adapter's scores were not taken."""

    def envelope(self) -> dict[str, Any]:
        """The one JSON object of `agentics eval --json`."""
        told = explanations(read_run(self.run_dir), self.outcomes)
        why = {"error": error_body(self.error)} if self.error is not None else {}
        return {
            "ok": self.exit_status == 0,
            "command": "eval",
            "run": {"run_id": self.run_id, "run_dir": str(self.run_dir)},
            "artifacts": self._artifacts(),
            "exit_code": self.exit_status,
            "outcomes": {outcome.model: outcome.model_dump(mode="json") for outcome in self.outcomes},
            "explanations": {variant: dumped(own) for variant, own in told.items()},
            **why,
        }

    def _artifacts(self) -> dict[str, str | None]:
        """Where the ledgers are; null where there is no such thing: without an adapter there is no benchmark."""
        layout = Layout(self.run_dir)
        places = {
            "evidence_records_path": layout.evidence_records,
            "task_chain_states_path": layout.chain_states,
            "benchmark_dir": layout.benchmark,
            "benchmark_summary_path": layout.benchmark / "summary.json",
        }
        return {name: str(place) if place.exists() else None for name, place in places.items()}


def evaluate(campaign: Campaign, observer: Observer, *, sink: Sink | None = None, operation: str = "eval") -> EndedRun:
    """Raises Refused when the run is locked or was made with another scope, or the artifacts of another job are where
    a job's would go. A bug is raised after it was written.

    `sink` is told every event, as one line of JSON each.
    """
    request = campaign.request
    name = run_id(request.run_id, now=datetime.now(UTC), limited=request.limit is not None)
    check_stores(campaign, name)
    with open_run(
        request.output_path,
        name,
        operation=operation,
        fresh=request.fresh,
        accept_alterations=request.accept_alterations,
    ) as run:
        observer = logged(observer, run.layout.log)
        events = RunEvents(run.layout.events, run_id=run.run_id, run_dir=run.root, sink=sink)
        recorder = InvocationRecorder(run, campaign, events, operation=operation)
        stop = StopSignal(tell=lambda: observer(_STOPPING))
        with stopping(stop):
            observer(Progress(kind="run_started", facts={"run_id": run.run_id, "run_dir": run.root}))
            _carry_out(run, campaign, recorder, observer, stop)
            if stop.number is not None and stop.exit_status is not None:
                recorder.stopped(stop.number, stop.exit_status)
            recorder.close()
            outcomes = _projected(run, campaign)
            commit_derived(run)
            write_projections(run)
            recorder.conclude()
        judged = [(task.status, task.fault) for outcome in outcomes for task in outcome.tasks.values()]
        status = exit_code(request.exit_policy, judged, fatal=recorder.fatal)
        return EndedRun(
            run_id=run.run_id, run_dir=run.root, outcomes=outcomes, exit_status=status, error=recorder.unscored
        )


def _carry_out(
    run: OpenRun, campaign: Campaign, recorder: InvocationRecorder, observer: Observer, stop: StopSignal
) -> None:
    active_attempts = attempts_without_engine(run, stop)
    try:
        with (
            controlled(run, active_attempts, stop, recorder.events.emit, lambda: recorder.begun),
            open_resources(campaign, run, observer, recorder.events, stop, active_attempts) as resources,
        ):
            stop.remove = partial(_remove, resources)
            try:
                _all(resources, campaign, recorder)
            finally:
                stop.remove = None
    except EngineError as error:
        recorder.failed("pipeline_preflight", error, error.exit_status)
    except Exception as error:
        if recorder.begun:
            recorder.failed("task_execution", error, 1)
            _note_control(recorder, active_attempts)
            recorder.close()
            write_projections(run)
            recorder.conclude()
        raise
    _note_control(recorder, active_attempts)


def _note_control(recorder: InvocationRecorder, active_attempts: ActiveAttempts) -> None:
    """No controller can ask for anything any more: what the last one made of the run is how it ended."""
    if active_attempts.over is not None:
        recorder.controlled(active_attempts.over)


def _remove(resources: RunResources) -> int:
    """Everything of this run that still runs."""
    resources.workers.kill()
    return resources.engine.remove(resources.labels)


def _projected(run: OpenRun, campaign: Campaign) -> tuple[RunOutcome, ...]:
    return tuple(project(run, directory) for directory in campaign.directories)


def _all(resources: RunResources, campaign: Campaign, recorder: InvocationRecorder) -> None:
    wanted = _without_verdict if recorder.operation in _GOING_ON else _open_slots
    open_slots = wanted(resources.run, campaign)
    works = [_work(resources, campaign, trial, open_slots) for trial in campaign.trials]
    resumed = [work for work in works if work.complete or campaign.request.resume]
    check_scopes(resources.run, {work.slot: work.scope for work in resumed})
    for work in works:
        if isinstance(work.trial, SolutionPlan) and not work.complete and work.skipped is None:
            # Now, so that an overlay that does not fit is found before anything is started.
            resources.staged(work.trial.task, evaluator_uid(resources.engine.facts()))
    recorder.begin()
    keep_jobspecs(resources.run, campaign)
    run_schedule(resources, recorder, works, fail_fast=campaign.request.fail_fast)
    if resources.active_attempts.over is not None:
        return
    _leave_artifacts(resources, recorder, campaign)
    if recorder.fatal is not None:
        return
    if campaign.request.adapter is not None and not resources.active_attempts.closed:
        _score(resources, recorder, campaign.request.adapter)


def _leave_artifacts(resources: RunResources, recorder: InvocationRecorder, campaign: Campaign) -> None:
    """What jobs leave. Where that cannot be stored the run has failed, and goes on when it is asked to again."""
    try:
        for found in publish_jobs(resources.run, campaign):
            resources.observer(Progress(kind="note", facts={"text": f"artifacts of {found.variant}: {found.url}"}))
    except AgenticsError as error:
        recorder.failed("task_execution", error, error.exit_status)


def _score(resources: RunResources, recorder: InvocationRecorder, adapter: AdapterCommand) -> None:
    """The user's adapter over the evidence of all trials. When it fails the run has failed, and no trial has."""
    run = resources.run
    resources.observer(Progress(kind="note", facts={"text": "the benchmark's adapter is at work"}))
    recorder.events.emit("benchmark_started")
    try:
        with resources.active_attempts.occupied():
            found = run_adapter(run.root, run.run_id, adapter, cwd=Path.cwd(), interrupt=resources.stop.event)
    except BenchmarkError as error:
        if not resources.stop.event.is_set():
            recorder.unscored = error
            recorder.failed("task_execution", error, error.exit_status)
        return
    if found.log_truncated:
        resources.observer(Progress(kind="note", facts={"text": "the adapter's output was cut at the limit"}))
    recorder.events.emit("benchmark_finished", benchmark_dir=str(found.directory))


def _without_verdict(run: OpenRun, campaign: Campaign) -> frozenset[SlotKey]:
    """What going on with a run has to fill: a variant gets no second chance at what it has a verdict on."""
    view = read_run(run.root)
    return frozenset(slot for slot in map(trial_slot, campaign.trials) if not has_verdict(view, slot))


def _open_slots(run: OpenRun, campaign: Campaign) -> frozenset[SlotKey]:
    """The slots that have to be run: all of them, or what an earlier invocation did not complete."""
    requested = campaign.requested()
    if campaign.request.resume:
        requested = {directory: tasks_to_run(run, directory, refs) for directory, refs in requested.items()}
    wanted = {(campaign.directories[directory], ref) for directory, refs in requested.items() for ref in refs}
    slots = [trial_slot(trial) for trial in campaign.trials if (trial.variant, trial.ref) in wanted]
    if not campaign.request.resume or campaign.request.design.replications == 1 or not run.layout.manifest.exists():
        return frozenset(slots)
    view = read_run(run.root)
    still = frozenset(slot for slot in slots if slot_is_open(view, slot))
    # A task whose replications are all complete and that is still to be run has lost its status: all of it again.
    return still | {slot for slot in slots if not any(slot[:2] == other[:2] for other in still)}


def _work(
    resources: RunResources, campaign: Campaign, trial: SolutionPlan | ModelPlan, open_slots: frozenset[SlotKey]
) -> TrialWork:
    request = campaign.request
    skipped = unservable(trial.plan, resources.config, resources.engine.facts(), resources.overrides)
    slot = trial_slot(trial)
    # A slot without a trial was skipped: this machine, or its configuration, may serve it by now.
    complete = slot not in open_slots and slot in resources.run.slots
    images = None if skipped else _images(resources, trial, build=not complete)
    scope = scope_of(trial, request, images)
    return TrialWork(trial=trial, slot=slot, scope=scope, images=images, complete=complete, skipped=skipped)


def _images(resources: RunResources, trial: PlannedTrial, *, build: bool) -> ReadyImages | None:
    try:
        return resources.images(trial, build=build)
    except EngineError as error:
        if error.code in ("image_missing", "image_build_failed"):
            return None  # this task's own trouble: its attempts ask again, and say so
        raise
    except Stopped:
        return None  # nothing is started any more
