"""The loop over slots: trials side by side, committed in the order of the schedule, as if one had followed the other.

A slot is started ahead of its predecessors' commits only where these could not change whether it runs at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from agentics.model.document.record import Fault, Status
from agentics.model.run.design import Design
from agentics.model.run.directory import Scope, TrialResult, TrialState
from agentics.model.run.ledger import ScheduledSlot, SlotStatus
from agentics.policy.run.schedule import is_pruned, may_start
from agentics.request.campaign import SolutionPlan
from agentics.request.job import ModelPlan
from agentics.request.trial_images import ReadyImages
from agentics.rundir.commit import CommitProgress, CommittedSlot, commit, written
from agentics.rundir.files.atomic import read_document
from agentics.rundir.open_run import OpenRun, SlotKey
from agentics.rundir.run import skip
from agentics.rundir.trial import Position, reserve, trial_for
from agentics.runner.invocation_recorder import InvocationRecorder
from agentics.runner.run_resources import RunResources
from agentics.runner.trial_runner import run_trial


@dataclass(frozen=True, kw_only=True)
class TrialWork:
    """A trial to be: its slot, what its result depends on, and its images if they could be had."""

    trial: SolutionPlan | ModelPlan
    slot: SlotKey
    scope: Scope
    images: ReadyImages | None
    complete: bool
    skipped: str | None


@dataclass(frozen=True, kw_only=True)
class EndedTrial:
    """How a slot came to be over. `status` None: it is not, the run was stopped."""

    filled: CommittedSlot
    status: Status | None
    fault: Fault | None = None


@dataclass(kw_only=True)
class ScheduleRunner:
    """One invocation's schedule while it is carried out."""

    resources: RunResources
    recorder: InvocationRecorder
    works: Sequence[TrialWork]
    design: Design
    fail_fast: bool
    progress: CommitProgress
    over: dict[int, EndedTrial] = field(default_factory=dict)
    running: dict[Future[EndedTrial], int] = field(default_factory=dict)
    started: int = 0
    committed: int = 0
    failed: bool = False

    @property
    def at_once(self) -> int:
        return 1 if self.fail_fast else self.design.max_concurrency

    def carry_out(self) -> None:
        """Until every slot is committed, or the run is stopped. Raises what a trial raised that is no verdict."""
        with ThreadPoolExecutor(max_workers=self.at_once, thread_name_prefix="trial") as pool:
            try:
                self._start(pool)
                while self.running:
                    done, _ = wait(self.running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self.over[self.running.pop(future)] = future.result()
                    self._commit()
                    self._start(pool)
            except BaseException:
                self.resources.stop.event.set()  # a bug of ours: the others end without a verdict
                raise
        self._commit()

    def _start(self, pool: ThreadPoolExecutor) -> None:
        while self.started < len(self.works) and len(self.running) < self.at_once and not self._closed():
            index, work = self.started, self.works[self.started]
            behind = sum(each.trial.variant == work.trial.variant for each in self.works[self.committed : index])
            failures = self.progress.failures.get(work.trial.variant, 0)
            if is_pruned(failures, self.design.pruning):
                self.over[index] = self._pruned(index, work)
            elif not may_start(failures_in_a_row=failures, uncommitted=behind, pruning=self.design.pruning):
                return
            elif work.complete or work.skipped is not None:
                self.over[index] = self._without_running(index, work)
            else:
                self.running[pool.submit(self._run, index, work)] = index
            self.started += 1
            self._commit()

    def _closed(self) -> bool:
        return self.failed or self.resources.active_attempts.closed

    def _run(self, index: int, work: TrialWork) -> EndedTrial:
        resources, trial = self.resources, work.trial
        ids = trial_for(resources.run, work.slot, work.scope, position(resources, work, index))
        judgement = run_trial(resources, trial, ids, work.images)
        if judgement.status == "pending":
            return EndedTrial(
                filled=CommittedSlot(schedule_idx=index, status="failed", trial_id=ids.trial_id), status=None
            )
        filled = _filled(resources.run, index, ids.trial_id)
        return EndedTrial(filled=filled, status=judgement.status, fault=judgement.fault)

    def _without_running(self, index: int, work: TrialWork) -> EndedTrial:
        trial = work.trial
        if work.complete:
            self.resources.observer(trial.progress("trial_reused"))
            trial_id = self.resources.run.slots[work.slot]
            result = read_document(self.resources.run.layout.trial(trial_id).result, TrialResult)
            status, fault = (result.ext.status, result.ext.fault) if result is not None else (None, None)
            return EndedTrial(
                filled=_filled(self.resources.run, index, trial_id), status=status or "passed", fault=fault
            )
        self.resources.observer(trial.progress("trial_skipped", text=work.skipped))
        return self._skip(index, work, ("skipped_unsupported", "target_unsupported"), work.skipped)

    def _pruned(self, index: int, work: TrialWork) -> EndedTrial:
        text = f"{self.progress.failures[work.trial.variant]} failures of this variant in a row"
        self.resources.observer(work.trial.progress("trial_skipped", text=text))
        if work.trial.variant not in self.progress.pruned:
            self.progress.pruned.append(work.trial.variant)
        return self._skip(index, work, ("skipped_pruned", "pruned"), text)

    def _skip(self, index: int, work: TrialWork, ending: tuple[SlotStatus, str], detail: str | None) -> EndedTrial:
        """Record that the slot gets no trial. `ending`: how its commit calls that, and the reason's code."""
        status, reason = ending
        skip(self.resources.run, self.recorder.invocation_id, work.slot, reason, detail)
        return EndedTrial(filled=CommittedSlot(schedule_idx=index, status=status), status="skipped")

    def _commit(self) -> None:
        while (ended := self.over.get(self.committed)) is not None and ended.status is not None:
            self._count(self.works[self.committed].trial.variant, ended)
            commit(self.progress, ended.filled)
            self.committed += 1
            self.failed = self.failed or (self.fail_fast and ended.status in ("failed", "error"))

    def _count(self, variant: str, ended: EndedTrial) -> None:
        """Failures in a row. What the infrastructure did, and what was not run, says nothing of the variant."""
        if ended.status == "skipped" or ended.fault == "infrastructure":
            return
        failed = ended.status in ("failed", "error")
        self.progress.failures[variant] = self.progress.failures.get(variant, 0) + 1 if failed else 0


def run_schedule(
    resources: RunResources, recorder: InvocationRecorder, works: Sequence[TrialWork], *, fail_fast: bool
) -> None:
    """Carry out the schedule. Every trial has its id before the first one runs."""
    run, campaign = resources.run, recorder.campaign
    reserve(run, (work.slot for work in works if work.skipped is None))
    progress = CommitProgress(
        run=run,
        invocation_id=recorder.invocation_id,
        schedule=tuple(_scheduled(work) for work in works),
        written=written(run),
    )
    progress.save()
    design = campaign.request.design
    ScheduleRunner(
        resources=resources, recorder=recorder, works=works, design=design, fail_fast=fail_fast, progress=progress
    ).carry_out()


def position(resources: RunResources, work: TrialWork, index: int) -> Position:
    """Where the trial stands, and what its settings come from."""
    request, config = resources.campaign.request, resources.config
    defaults = {"retry_attempts": config.retry.attempts, "retry_wait_s": config.retry.wait_s}
    experiment = {"retry": request.design.retry.model_dump(mode="json"), "trial_timeout_s": request.trial_timeout_s}
    task = {"target": work.trial.plan.target, "topology": work.trial.plan.topology}
    return Position(
        task_index=work.trial.index,
        schedule_idx=index,
        runtime=work.trial.runtime(),
        policy_merge={
            "global_defaults": dict(defaults),
            "experiment_type_policy": dict(experiment),
            "benchmark_type_policy": {},
            "task_override": dict(task),
            "effective": {**defaults, **experiment, **task},
        },
    )


def _scheduled(work: TrialWork) -> ScheduledSlot:
    slot = work.trial.slot
    return ScheduledSlot(variant_idx=slot.variant_idx, task_idx=slot.task_idx, repl_idx=slot.repl_idx)


def _filled(run: OpenRun, index: int, trial_id: str) -> CommittedSlot:
    state = read_document(run.layout.trial(trial_id).state, TrialState)
    status: SlotStatus = "completed" if state is not None and state.status == "completed" else "failed"
    return CommittedSlot(schedule_idx=index, status=status, trial_id=trial_id, attempt=state.attempt if state else 0)
