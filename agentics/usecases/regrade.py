"""`regrade`: the evaluator again over what solutions left, without running one; the old results stay in their attempts.

With `dry_run` the same happens in a directory that is thrown away, so what is shown is what would be.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from agentics.config import Config
from agentics.control.signals import StopSignal, stopping
from agentics.errors import BenchmarkError, Refused, Stopped, UsageError
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.evidence.verdict import Verdict
from agentics.model.run.control import RegradeManifest, ScoreChange
from agentics.model.run.directory import TrialResult
from agentics.pipeline.attempt_tools import Resume
from agentics.pipeline.progress import Observer
from agentics.request.campaign import Campaign, EvalRequest, SolutionPlan, compile_request
from agentics.request.job import ModelPlan
from agentics.request.scopes import scope_of
from agentics.rundir.commit import CommittedSlot, commit_rows, written
from agentics.rundir.derived import REGRADE, ParentTrial, make_trial, new_id, source_of
from agentics.rundir.files import lock
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.atomic import make_directory, read_document, utc_now, write_document
from agentics.rundir.files.layout import Layout
from agentics.rundir.files.lease import operating
from agentics.rundir.integrity.guard import check_unaltered
from agentics.rundir.open_run import OpenRun
from agentics.rundir.reader import RunView, TrialView, read_run
from agentics.rundir.run import open_run
from agentics.rundir.trial import Position, trial_for
from agentics.runner.adapter import run_adapter
from agentics.runner.evidence_store import AttemptEvidence
from agentics.runner.run_events import ListenerGone, RunEvents
from agentics.runner.run_resources import RunResources, attempts_without_engine, open_resources
from agentics.runner.trial_runner import run_trial
from agentics.usecases.fork_replay import committed, parent_trial, request_of, why_incomplete, without_the_solution
from agentics.usecases.regrade_record import recorded


@dataclass(frozen=True, kw_only=True)
class RegradeRequest:
    """`bundles`: instead of those that the run was made with. `adapter_only`: no evaluator, only the benchmark's
    adapter. `accept_alterations`: as in an EvalRequest. `trust`: as in a ForkRequest."""

    trial_id: str | None = None
    bundles: tuple[Path, ...] = ()
    adapter_only: bool = False
    dry_run: bool = False
    accept_alterations: bool = False
    trust: bool = False

    def facts(self) -> dict[str, JsonValue]:
        """As the invocation records it."""
        return {"trial_id": self.trial_id, "bundles": [*map(str, self.bundles)], "adapter_only": self.adapter_only}


@dataclass(frozen=True, kw_only=True)
class Regraded:
    """`benchmark_dir`: the adapter's new scores, if it was run."""

    manifest: RegradeManifest
    dry_run: bool
    benchmark_dir: Path | None = None

    def facts(self) -> dict[str, Any]:
        """For the envelope."""
        told = self.manifest.model_dump(mode="json", exclude={"schema_version", "operation"})
        place = str(self.benchmark_dir) if self.benchmark_dir else None
        return {**told, "dry_run": self.dry_run, "benchmark_dir": place}


def regrade(root: Path, wanted: RegradeRequest, config: Config, observer: Observer) -> Regraded:
    """Raises Refused (run_owner_alive, run_killed) where the run cannot be changed, UsageError where there is nothing
    to regrade, BenchmarkError when the adapter fails, whose earlier scores stay then, and Stopped by a signal."""
    view = read_run(root)
    _check_free(view, wanted)
    chosen = [committed(view, wanted.trial_id)] if wanted.trial_id else [*filter(None, map(source_of, view.trials))]
    request = request_of(view, chosen[0] if wanted.trial_id else None, trust=wanted.trust)
    request = replace(request, bundles=wanted.bundles) if wanted.bundles else request
    _check_possible(view, wanted, request)
    campaign, stop = compile_request(request, config), StopSignal()
    trials = [] if wanted.adapter_only else [(parent, _trial(campaign, parent, wanted)) for parent in chosen]
    with (
        operating(view.layout, "regrade"),
        stopping(stop),
        _place(view, config, wanted) as run,
        ExitStack() as stack,
    ):
        # An engine that is missing is found before anything is written.
        told = RunEvents(run.layout.events, run_id=run.run_id, run_dir=run.root, sink=None)
        heard = ListenerGone() if wanted.dry_run else told
        resources = (
            stack.enter_context(
                open_resources(campaign, run, observer, heard, stop, attempts_without_engine(run, stop))
            )
            if trials
            else None
        )
        if resources is not None:
            stop.remove = lambda: resources.engine.remove(resources.labels)
        one = _Regrade(view=view, campaign=campaign, wanted=wanted, stop=stop, events=told, name=new_id("regrade"))
        done = one.carry_out(run, resources, trials)
        stop.remove = None
        if stop.event.is_set():
            msg = "the regrade was stopped: what it had begun is pending"
            raise Stopped(msg, hint="regrade again, which evaluates that too")
    return done


def _check_free(view: RunView, wanted: RegradeRequest) -> None:
    name, control = view.manifest.run_id, view.control
    if lock.is_held(view.layout.lock):
        msg = f"a living process works on run {name}"
        raise Refused(msg, code="run_owner_alive", hint="regrade once it has ended")
    if control is not None and control.status == "killed" and not wanted.dry_run:
        msg = f"run {name} was killed, which is final"
        raise Refused(msg, code="run_killed", hint="--dry-run shows what a regrade would say")
    if not wanted.accept_alterations:
        check_unaltered(view.layout)


def _check_possible(view: RunView, wanted: RegradeRequest, request: EvalRequest) -> None:
    if wanted.adapter_only and request.adapter is None:
        msg = f"run {view.manifest.run_id} was made without an adapter"
        raise UsageError(msg, code="no_adapter", hint="leave --adapter-only out")
    if wanted.adapter_only and wanted.dry_run:
        msg = "what an adapter would say is only known once it has said it"
        raise UsageError(msg, code="no_dry_run", hint="its earlier scores are kept: leave --dry-run out")


def _trial(campaign: Campaign, parent: ParentTrial, wanted: RegradeRequest) -> SolutionPlan | ModelPlan | None:
    """The trial as it would be evaluated today. None for one that only an earlier invocation of the run asked for,
    where nobody named it. Raises UsageError where somebody did, and where a bundle that was given is another's."""
    try:
        return parent_trial(campaign, parent)
    except UsageError:
        if wanted.trial_id or wanted.bundles:
            raise
    return None


@contextmanager
def _place(view: RunView, config: Config, wanted: RegradeRequest) -> Iterator[OpenRun]:
    """The run itself, or for a dry run one that is thrown away, with the same artifacts."""
    if not wanted.dry_run:
        base, accept = view.layout.root.parent, wanted.accept_alterations
        with open_run(base, view.manifest.run_id, operation="regrade", accept_alterations=accept) as run:
            yield run
        return
    with tempfile.TemporaryDirectory(prefix="agentics-regrade-", dir=config.sandbox.scratch) as folder:
        layout = Layout(Path(folder) / view.manifest.run_id)
        for place in (layout.trials, layout.artifacts):
            make_directory(place)
        with OpenRun(layout, view.manifest.run_id, ArtifactStore(layout.artifacts), None, None) as run:
            yield run


@dataclass(frozen=True, kw_only=True)
class _Regrade:
    """One regrade. `view`: the run as it was before."""

    view: RunView
    campaign: Campaign
    wanted: RegradeRequest
    stop: StopSignal
    events: RunEvents
    name: str

    def carry_out(
        self,
        run: OpenRun,
        resources: RunResources | None,
        trials: list[tuple[ParentTrial, SolutionPlan | ModelPlan | None]],
    ) -> Regraded:
        """In the run, or for a dry run beside it."""
        if self.wanted.dry_run:
            changes = tuple(self._again(resources, *each, self.name) for each in trials) if resources else ()
            return Regraded(manifest=self._manifest(changes), dry_run=True)
        with recorded(run, self.view, self.campaign, self.stop, self.events, self.wanted.facts()) as record:
            changes = tuple(self._again(resources, *each, record.invocation_id) for each in trials) if resources else ()
            manifest = self._manifest(changes)
            make_directory(run.layout.regrades)
            write_document(run.layout.regrades / f"{self.name}.json", manifest)
            return Regraded(manifest=manifest, dry_run=False, benchmark_dir=self._score(run))

    def _manifest(self, changes: tuple[ScoreChange, ...]) -> RegradeManifest:
        digests = {trial.ref: trial.task.bundle_digest for trial in self.campaign.solutions}
        return RegradeManifest(regrade_id=self.name, created_at=utc_now(), bundle_digests=digests, changes=changes)

    def _score(self, run: OpenRun) -> Path | None:
        """The adapter's new scores; None where there is no adapter, or the regrade was stopped. Raises
        BenchmarkError."""
        adapter = self.campaign.request.adapter
        if adapter is None or self.stop.event.is_set():
            return None
        self.events.emit("benchmark_started")
        try:
            found = run_adapter(run.root, run.run_id, adapter, cwd=Path.cwd(), interrupt=self.stop.event)
        except BenchmarkError:
            if self.stop.event.is_set():
                return None
            raise
        self.events.emit("benchmark_finished", benchmark_dir=str(found.directory))
        return found.directory

    def _again(
        self, resources: RunResources, parent: ParentTrial, trial: SolutionPlan | ModelPlan | None, invocation_id: str
    ) -> ScoreChange:
        """Evaluate one trial again. What cannot be evaluated without its solution is left as it is, and says why."""
        run, evidence, ids = resources.run, parent.evidence, parent.trial.ids
        why = _why_not(trial, evidence, AttemptEvidence(ArtifactStore(self.view.layout.artifacts), parent.trial.root))
        why = "it was interrupted" if self.stop.event.is_set() else why
        if why is not None or evidence is None or not isinstance(trial, SolutionPlan):
            return _change(parent.trial, parent.trial.result, skipped=why)
        if run.held is None:
            _lend(evidence, self.view.layout, run)
        images = resources.images(trial)
        source: dict[str, JsonValue] = {
            "regrade_id": self.name,
            "parent_trial_id": ids.trial_id,
            "attempt": parent.attempt,
        }
        trial = replace(
            trial,
            plan=without_the_solution(trial.plan),
            resume=Resume(cases={case.run_name: case for case in evidence.cases}, submission=evidence.submission),
            ext={REGRADE: source},
        )
        scope, metadata = scope_of(trial, self.campaign.request, images), parent.trial.metadata
        if run.held is None or not is_of_schedule(parent.trial, self.view):
            make_trial(run, ids, scope, trial.runtime())
        else:
            position = Position(
                task_index=metadata.task_index,
                schedule_idx=metadata.schedule_idx,
                runtime=metadata.runtime,
                policy_merge=metadata.policy_merge,
            )
            trial_for(run, parent.trial.slot, scope, position)
        judgement = run_trial(resources, trial, ids, images)
        if judgement.status == "pending" and run.held is not None:
            write_document(run.layout.trial(ids.trial_id).metadata, metadata)  # nothing was said under the new scope
        return _settled(run, parent.trial, judgement, invocation_id)


def is_of_schedule(trial: TrialView, view: RunView) -> bool:
    """Whether a trial fills a slot, which forks and replays do not."""
    return trial.root.parent == view.layout.trials


def _settled(run: OpenRun, parent: TrialView, judgement: Verdict, invocation_id: str) -> ScoreChange:
    result = read_document(run.layout.trial(parent.ids.trial_id).result, TrialResult)
    if judgement.status == "pending" or result is None:
        return _change(parent, parent.result, skipped="it was interrupted")
    if run.held is not None:
        filled = CommittedSlot(
            schedule_idx=parent.metadata.schedule_idx,
            status="failed" if result.outcome == "error" else "completed",
            trial_id=parent.ids.trial_id,
            attempt=result.ext.attempt,
        )
        commit_rows(run, filled, invocation_id, written(run))
    return _change(parent, result)


def _why_not(
    trial: SolutionPlan | ModelPlan | None, evidence: TrialEvidence | None, keep: AttemptEvidence
) -> str | None:
    if trial is None:
        return "the newest request of this run does not name it"
    if isinstance(trial, ModelPlan):
        return "a model's answers are scored again by `agentics job run --answers`"
    if evidence is None:
        return "its evidence is not there"
    if not evidence.facts.runs_cases:
        return "its evaluator works with a living solution"
    return why_incomplete(evidence, keep)


def _lend(evidence: TrialEvidence, source: Layout, run: OpenRun) -> None:
    """What the cases left, for a run that is thrown away."""
    kept = ArtifactStore(source.artifacts)
    for ref in {ref for case in evidence.cases for ref in case.refs}:
        place = run.artifacts.path(ref)
        if not place.exists():
            make_directory(place.parent)
            shutil.copyfile(kept.path(ref), place)


def _change(parent: TrialView, after: TrialResult | None, *, skipped: str | None = None) -> ScoreChange:
    before = parent.result
    metric = next((r.ext.primary_metric for r in (after, before) if r is not None and r.ext.primary_metric), None)
    return ScoreChange(
        trial_id=parent.ids.trial_id,
        variant_id=parent.ids.variant_id,
        task_id=parent.ids.task_id,
        repl_idx=parent.ids.repl_idx,
        status_before=before.ext.status if before else None,
        status_after=after.ext.status if after else None,
        metric_name=metric.metric_name if metric else None,
        value_before=before.ext.primary_metric.value if before and before.ext.primary_metric else None,
        value_after=after.ext.primary_metric.value if after and after.ext.primary_metric else None,
        skipped=skipped,
    )
