"""The campaign: every requested trial that is not complete yet, one after the other, in one run directory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from agentics.errors import EngineError
from agentics.model.outcome import RunOutcome
from agentics.model.record import Status
from agentics.model.rundir import Scope
from agentics.policy.outcome import exit_code
from agentics.rundir.held import Run, Slot
from agentics.rundir.names import run_id
from agentics.rundir.project import project, tasks_to_run
from agentics.rundir.run import open_run, skip
from agentics.rundir.trial import check_scopes, trial_for
from agentics.runner.campaign import Campaign, Trial
from agentics.runner.images import Images, unservable
from agentics.runner.invocation import Book
from agentics.runner.progress import Observer, Progress
from agentics.runner.public import write_public
from agentics.runner.runlog import logged
from agentics.runner.signals import Stop, stopping
from agentics.runner.trial import run_trial
from agentics.runner.workshop import Workshop, open_workshop

_STOPPING = Progress(kind="note", facts={"text": "stopping in good order; the same signal once more ends it at once"})


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an evaluation ended: an outcome for each variant, and the exit status that the policy gives."""

    run_id: str
    run_dir: Path
    outcomes: tuple[RunOutcome, ...]
    exit_status: int

    def envelope(self) -> dict[str, Any]:
        """The one JSON object of `agentics eval --json`."""
        return {
            "ok": self.exit_status == 0,
            "command": "eval",
            "run": {"run_id": self.run_id, "run_dir": str(self.run_dir)},
            "exit_code": self.exit_status,
            "outcomes": {outcome.model: outcome.model_dump(mode="json") for outcome in self.outcomes},
        }


@dataclass(frozen=True, kw_only=True)
class Work:
    """A trial to be: its slot, what its result depends on, and its images if they could be had."""

    trial: Trial
    slot: Slot
    scope: Scope
    images: Images | None
    complete: bool
    skipped: str | None


def evaluate(campaign: Campaign, observer: Observer) -> Ended:
    """Raises Refused when the run is locked or was made with another scope. A bug is raised after it was written."""
    request = campaign.request
    name = run_id(request.run_id, now=datetime.now(UTC), limited=request.limit is not None)
    with open_run(request.output_path, name) as run:
        observer = logged(observer, run.layout.log)
        book, stop = Book(run, campaign, time.monotonic()), Stop(tell=lambda: observer(_STOPPING))
        with stopping(stop):
            observer(Progress(kind="run_started", facts={"run_id": run.run_id, "run_dir": run.root}))
            _carry_out(run, campaign, book, observer, stop)
            if stop.number is not None and stop.exit_status is not None:
                book.stopped(stop.number, stop.exit_status)
            book.close()
            outcomes = _projected(run, campaign)
            write_public(run, campaign, outcomes)
        judged = [(task.status, task.fault) for outcome in outcomes for task in outcome.tasks.values()]
        status = exit_code(request.exit_policy, judged, fatal=book.fatal)
        return Ended(run_id=run.run_id, run_dir=run.root, outcomes=outcomes, exit_status=status)


def _carry_out(run: Run, campaign: Campaign, book: Book, observer: Observer, stop: Stop) -> None:
    try:
        with open_workshop(campaign, run, observer, stop) as shop:
            stop.remove = partial(shop.engine.remove, shop.labels)
            try:
                _all(shop, campaign, book)
            finally:
                stop.remove = None
    except EngineError as error:
        book.failed("pipeline_preflight", error, error.exit_status)
    except Exception as error:
        if book.begun:
            book.failed("task_execution", error, 1)
            book.close()
            _projected(run, campaign)
        raise


def _projected(run: Run, campaign: Campaign) -> tuple[RunOutcome, ...]:
    return tuple(project(run, directory) for directory in campaign.directories)


def _all(shop: Workshop, campaign: Campaign, book: Book) -> None:
    open_slots = _open_slots(shop.run, campaign)
    works = [_work(shop, campaign, trial, open_slots) for trial in campaign.trials]
    check_scopes(shop.run, {work.slot: work.scope for work in works if work.complete})
    for work in works:
        if not work.complete and work.skipped is None:
            # Now, so that an overlay that does not fit is found before anything is started.
            shop.staged(work.trial.task, shop.users.evaluator)
    book.begin()
    for work in works:
        if shop.stop.event.is_set():
            return
        status = _one(shop, book, work)
        if campaign.request.fail_fast and status in ("failed", "error"):
            return


def _one(shop: Workshop, book: Book, work: Work) -> Status | None:
    """The status that the task got now, or None when it had one already."""
    trial, ref, variant = work.trial, work.trial.task.ref, work.trial.variant
    if work.complete:
        shop.observer(Progress(kind="trial_reused", task=ref, variant=variant))
        return None
    if work.skipped is not None:
        skip(shop.run, book.invocation_id, work.slot, "target_unsupported")
        shop.observer(Progress(kind="trial_skipped", task=ref, variant=variant, facts={"text": work.skipped}))
        return "skipped"
    ids = trial_for(shop.run, work.slot, work.scope, task_index=trial.index)
    shop.tell("trial_started", trial, ids)
    judgement = run_trial(shop, trial, ids, work.images)
    shop.tell("trial_finished", trial, ids, status=judgement.status, reason=judgement.reason)
    return judgement.status


def _open_slots(run: Run, campaign: Campaign) -> frozenset[Slot]:
    """The slots that have to be run: all of them, or what an earlier invocation did not complete."""
    requested = campaign.requested()
    if campaign.request.resume:
        requested = {directory: tasks_to_run(run, directory, refs) for directory, refs in requested.items()}
    return frozenset((campaign.directories[directory], ref, 0) for directory, refs in requested.items() for ref in refs)


def _work(shop: Workshop, campaign: Campaign, trial: Trial, open_slots: frozenset[Slot]) -> Work:
    request, task = campaign.request, trial.task
    skipped = unservable(trial.plan, shop.config, shop.engine.facts(), shop.overrides)
    images = None if skipped else _images(shop, trial)
    scope = Scope(
        task=task.ref,
        bundle_digest=task.bundle_digest,
        overlay_digests=task.overlay_digests,
        solution_digest=f"sha256:{trial.package.sha256}",
        target=task.target.name,
        mode=request.mode,
        limit=request.limit,
        images={side: image.use.id for side, image in (images or {}).items()},
        config={"relaxed": {side: sorted(image.relaxed) for side, image in (images or {}).items()}},
    )
    slot: Slot = (trial.variant, task.ref, 0)
    # A slot without a trial was skipped: this machine, or its configuration, may serve it by now.
    complete = slot not in open_slots and slot in shop.run.slots
    return Work(trial=trial, slot=slot, scope=scope, images=images, complete=complete, skipped=skipped)


def _images(shop: Workshop, trial: Trial) -> Images | None:
    try:
        return shop.images(trial)
    except EngineError as error:
        if error.code == "image_missing":
            return None  # this task's own trouble: its attempts ask again, and say so
        raise
