"""`regrade`: the evaluator again over what solutions left, without running one; the old results stay in their attempts.

With `dry_run` the same happens in a directory that is thrown away, so what is shown is what would be.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentics.config import Config
from agentics.errors import Refused, UsageError
from agentics.model.control import RegradeManifest, ScoreChange
from agentics.model.evidence import TrialEvidence
from agentics.model.judgement import Judgement
from agentics.model.rundir import TrialResult
from agentics.pipeline.bench import Resume
from agentics.rundir import lock
from agentics.rundir.artifacts import Artifacts
from agentics.rundir.atomic import make_directory, read_document, utc_now, write_document
from agentics.rundir.attest import write_attestation
from agentics.rundir.commit import Filled, commit_rows, written
from agentics.rundir.derived import make_trial, new_id
from agentics.rundir.guard import check_unaltered
from agentics.rundir.held import Run
from agentics.rundir.layout import Layout
from agentics.rundir.lease import operating
from agentics.rundir.reader import RunView, TrialView, read_evidence, read_run
from agentics.rundir.rebuild import write_projections
from agentics.rundir.run import open_run
from agentics.rundir.trial import Position, trial_for
from agentics.runner.adapter import run_adapter
from agentics.runner.campaign import Campaign, EvalRequest, compile_request
from agentics.runner.commands import recorded_experiment
from agentics.runner.derive import committed, parent_trial, without_the_solution
from agentics.runner.events import Unheard
from agentics.runner.experiment import request_from
from agentics.runner.job import JobTrial
from agentics.runner.keeping import AttemptKeeper
from agentics.runner.progress import Observer
from agentics.runner.scopes import scope_of
from agentics.runner.signals import Stop, stopping
from agentics.runner.trial import run_trial
from agentics.runner.workshop import Workshop, open_workshop
from agentics.stages.restore import is_whole


@dataclass(frozen=True, kw_only=True)
class RegradeRequest:
    """`bundles`: instead of those that the run was made with. `adapter_only`: no evaluator, only the benchmark's
    adapter. `accept_alterations`: as in an EvalRequest."""

    trial_id: str | None = None
    bundles: tuple[Path, ...] = ()
    adapter_only: bool = False
    dry_run: bool = False
    accept_alterations: bool = False


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
    """Raises Refused (run_owner_alive) while a process works on the run, UsageError where there is nothing to regrade,
    BenchmarkError when the adapter fails: its earlier scores stay then."""
    view = read_run(root)
    if lock.is_held(view.layout.lock):
        msg = f"a living process works on run {view.manifest.run_id}"
        raise Refused(msg, code="run_owner_alive", hint="regrade once it has ended")
    if not wanted.accept_alterations:
        check_unaltered(view.layout)
    recorded = request_from(recorded_experiment(view.layout), output_path=view.layout.root.parent)
    request = replace(recorded, bundles=wanted.bundles) if wanted.bundles else recorded
    campaign, name, stop = compile_request(request, config), new_id("regrade"), Stop()
    _require_something(view, wanted, request)
    chosen = [committed(view, wanted.trial_id)] if wanted.trial_id else [t for t in view.trials if t.result is not None]
    with operating(view.layout, "regrade"), stopping(stop), _place(view, config, wanted) as run:
        changes: list[ScoreChange] = []
        if not wanted.adapter_only:
            with open_workshop(campaign, run, observer, Unheard(), stop) as shop:
                changes = [_again(shop, campaign, view, trial, name) for trial in chosen]
        digests = {trial.ref: trial.task.bundle_digest for trial in campaign.solutions}
        manifest = RegradeManifest(
            regrade_id=name, created_at=utc_now(), bundle_digests=digests, changes=tuple(changes)
        )
        if wanted.dry_run:
            return Regraded(manifest=manifest, dry_run=True)
        make_directory(run.layout.regrades)
        write_document(run.layout.regrades / f"{name}.json", manifest)
        directory = None
        try:
            if request.adapter is not None:
                found = run_adapter(run.root, run.run_id, request.adapter, cwd=Path.cwd(), interrupt=stop.event)
                directory = found.directory
        finally:
            write_projections(run)
            write_attestation(run)
        return Regraded(manifest=manifest, dry_run=False, benchmark_dir=directory)


def _require_something(view: RunView, wanted: RegradeRequest, request: EvalRequest) -> None:
    if wanted.adapter_only and request.adapter is None:
        msg = f"run {view.manifest.run_id} was made without an adapter"
        raise UsageError(msg, code="no_adapter", hint="leave --adapter-only out")
    if wanted.adapter_only and wanted.dry_run:
        msg = "what an adapter would say is only known once it has said it"
        raise UsageError(msg, code="no_dry_run", hint="its earlier scores are kept: leave --dry-run out")


@contextmanager
def _place(view: RunView, config: Config, wanted: RegradeRequest) -> Iterator[Run]:
    """The run itself, or for a dry run one that is thrown away, with the same artifacts."""
    if not wanted.dry_run:
        base, accept = view.layout.root.parent, wanted.accept_alterations
        with open_run(base, view.manifest.run_id, operation="regrade", accept_alterations=accept) as run:
            run.announce()
            yield run
        return
    with tempfile.TemporaryDirectory(prefix="agentics-regrade-", dir=config.sandbox.scratch) as folder:
        layout = Layout(Path(folder) / view.manifest.run_id)
        for place in (layout.trials, layout.artifacts):
            make_directory(place)
        with Run(layout, view.manifest.run_id, Artifacts(layout.artifacts), None, None) as run:
            yield run


def _again(shop: Workshop, campaign: Campaign, view: RunView, parent: TrialView, name: str) -> ScoreChange:
    """Evaluate one trial again. What cannot be evaluated without its solution is left as it is, and says why."""
    trial, run = parent_trial(campaign, parent), shop.run
    if isinstance(trial, JobTrial):
        return _change(
            parent, parent.result, skipped="a model's answers are scored again by `agentics job run --answers`"
        )
    evidence = read_evidence(parent)
    why = _why_not(evidence, Artifacts(view.layout.artifacts), parent)
    if why is not None or evidence is None:
        return _change(parent, parent.result, skipped=why)
    if run.held is None:
        _lend(evidence, view.layout, run)
    images = shop.images(trial)
    trial = replace(
        trial,
        plan=without_the_solution(trial.plan),
        resume=Resume(cases={case.run_name: case for case in evidence.cases}, submission=evidence.submission),
        ext={"regrade": {"regrade_id": name, "parent_trial_id": parent.ids.trial_id, "attempt": parent.attempts}},
    )
    scope = scope_of(trial, campaign.request, images)
    if run.held is None:
        make_trial(run, parent.ids, scope, trial.runtime())
    else:
        metadata = parent.metadata
        position = Position(
            task_index=metadata.task_index,
            schedule_idx=metadata.schedule_idx,
            runtime=metadata.runtime,
            policy_merge=metadata.policy_merge,
        )
        trial_for(run, parent.slot, scope, position)
    judgement = run_trial(shop, trial, parent.ids, images)
    return _settled(run, parent, judgement, name)


def _settled(run: Run, parent: TrialView, judgement: Judgement, name: str) -> ScoreChange:
    result = read_document(run.layout.trial(parent.ids.trial_id).result, TrialResult)
    if judgement.status == "pending" or result is None:
        return _change(parent, parent.result, skipped="it was interrupted")
    if run.held is not None:
        filled = Filled(
            schedule_idx=parent.metadata.schedule_idx,
            status="failed" if result.outcome == "error" else "completed",
            trial_id=parent.ids.trial_id,
            attempt=result.ext.attempt,
        )
        commit_rows(run, filled, name, written(run))
    return _change(parent, result)


def _why_not(evidence: TrialEvidence | None, artifacts: Artifacts, parent: TrialView) -> str | None:
    if evidence is None:
        return "its evidence is not there"
    if evidence.topology != "separated_evaluator":
        return "its evaluator works with a living solution"
    if evidence.cases_expected != len(evidence.cases) or not evidence.cases or evidence.submission is None:
        return "its cases did not all end"
    keep = AttemptKeeper(artifacts, parent.root)
    return None if all(is_whole(keep, case) for case in evidence.cases) else "not all that its cases left is there"


def _lend(evidence: TrialEvidence, source: Layout, run: Run) -> None:
    """What the cases left, for a run that is thrown away."""
    kept = Artifacts(source.artifacts)
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
