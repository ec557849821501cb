"""What is kept of an attempt beside its evidence: its workspace before and after, its inventory, where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue, TypeAdapter

from agentics.model.document.record import Ids, Record
from agentics.model.evidence.trial_evidence import CaseRecord, Checkpoint, TrialEvidence
from agentics.model.run.directory import InvocationStarted, TrialState
from agentics.pipeline.attempt_tools import AttemptTools, EvidenceStore, Resume
from agentics.policy.inventory import state_inventory
from agentics.policy.workspace import diff, patch
from agentics.request.campaign import SolutionPlan
from agentics.request.planned_trial import PlannedTrial
from agentics.rundir.files import ledger
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.atomic import read_document, utc_now
from agentics.rundir.files.layout import TrialLayout
from agentics.rundir.open_run import ENTRIES, OpenRun
from agentics.rundir.projections.rows import WORKSPACE
from agentics.rundir.trial import SUSPENDED, Attempt, record, record_workspace
from agentics.runner.attempt_logs import runner_log, solution_stderr
from agentics.sandbox.snapshot import snapshot
from agentics.stages.restore import is_whole

_WRITES_THE_WORKSPACE = frozenset({"solution_setup", "solution_build"})
CASES: TypeAdapter[Any] = TypeAdapter(CaseRecord)
CHECKPOINTS: TypeAdapter[Any] = TypeAdapter(Checkpoint)


@dataclass(frozen=True)
class AttemptEvidence:
    """Evidence of one attempt: bytes by content, records as lines that are durable when `append` returns."""

    artifacts: ArtifactStore
    root: Path

    def put_bytes(self, data: bytes) -> str:
        return self.artifacts.put(data)

    def put_file(self, path: Path) -> str:
        return self.artifacts.put(path)

    def append(self, name: str, record: Record) -> None:
        ledger.append(self.root / f"{name}.jsonl", record)

    def append_all(self, name: str, records: Sequence[Record]) -> None:
        if records:
            ledger.append_all(self.root / f"{name}.jsonl", records)

    def path(self, ref: str) -> Path:
        return self.artifacts.path(ref)


def keep_evidence(attempt: Attempt, trial: PlannedTrial, evidence: TrialEvidence) -> None:
    """Logs, what could be seen from inside, and the evidence itself."""
    artifacts = attempt.run.artifacts
    record(attempt, "harness_stdout.log", runner_log(evidence, artifacts))
    record(attempt, "harness_stderr.log", solution_stderr(evidence, artifacts))
    record(attempt, "state_inventory.json", state_inventory(trial.plan, evidence, trial.integration))
    record(attempt, "evidence.json", evidence)


def keep_workspace(attempt: Attempt, trial: SolutionPlan, tools: AttemptTools) -> None:
    """The workspace before and after, and what became of it; nothing where it was never laid out.

    Every trial starts from a fresh workspace, so what happened in it and what happened since its chain began are one.
    """
    before = tools.workspace_before
    if before is None:
        return
    now = utc_now()
    written = any(stage.name in _WRITES_THE_WORKSPACE for stage in trial.plan.stages)
    after = snapshot(tools.paths["workspace"], captured_at=now) if written else before
    changes, delta = diff(before, after, captured_at=now), patch(before, after, generated_at=now)
    found = {
        "workspace_pre": before,
        "workspace_post": after,
        "diff_incremental": changes,
        "diff_cumulative": changes,
        "patch_incremental": delta,
        "patch_cumulative": delta,
    }
    record_workspace(attempt, {WORKSPACE[key]: document for key, document in found.items()})


def newest_checkpoint(attempt: Attempt) -> str | None:
    """The checkpoint of the highest step that the attempt's cases left when they were asked to stop."""
    found = [each for each in stopped_at(attempt.root) if each.violation is None]
    return max(found, key=lambda each: each.step or 0).name if found else None


def going_on(run: OpenRun, trial: SolutionPlan, ids: Ids) -> SolutionPlan:
    """The trial as its next attempt carries it out: one that was suspended goes on, and says from where."""
    place = run.layout.trial(ids.trial_id)
    state = read_document(place.state, TrialState)
    if state is None or state.status != "paused" or state.exit_reason != SUSPENDED:
        return trial
    root = place.attempt(state.attempt)
    keep = AttemptEvidence(run.artifacts, root)
    cases = {case.run_name: case for case in ledger.read(root / "cases.jsonl", CASES) if is_whole(keep, case)}
    checkpoints = newest_of_each([*stopped_at(root)], keep)
    lineage: dict[str, JsonValue] = {
        "attempt": state.attempt,
        "invocation_id": _invocation_at(run, state.updated_at),
        "cases_kept": len(cases),
        "checkpoints": {alias: each.name for alias, each in checkpoints.items()},
    }
    resume = Resume(cases=cases, checkpoints=checkpoints)
    return replace(trial, resume=resume, ext={**trial.ext, "resume": lineage})


def _invocation_at(run: OpenRun, at: str) -> str | None:
    """The invocation that was going on then."""
    entries = ledger.read(run.layout.invocations, ENTRIES)
    started = (e for e in reversed(entries) if isinstance(e, InvocationStarted) and e.started_at <= at)
    return next((entry.invocation_id for entry in started), None)


def newest_of(checkpoints: Mapping[str, Checkpoint]) -> str | None:
    """The name of the checkpoint of the highest step; None where there is none."""
    newest = max(checkpoints.values(), key=lambda each: each.step or 0, default=None)
    return newest.name if newest is not None else None


def whole_checkpoints(run: OpenRun, trial: Path, evidence: TrialEvidence | None) -> dict[str, tuple[Checkpoint, ...]]:
    """Every checkpoint of a trial that one can go on from, by case: those of attempts that stopped there, too."""
    keep, place = AttemptEvidence(run.artifacts, trial), TrialLayout(trial)
    stopped = [each for n in place.attempt_numbers() for each in stopped_at(place.attempt(n))]
    ended = [each for case in evidence.cases for each in case.checkpoints] if evidence else []
    found: dict[str, tuple[Checkpoint, ...]] = {}
    for each in (*ended, *stopped):
        if each.violation is None and is_whole(keep, each):
            found[each.alias] = (*found.get(each.alias, ()), each)
    return found


def newest_of_each(checkpoints: list[Checkpoint], keep: EvidenceStore) -> dict[str, Checkpoint]:
    """By case, the whole checkpoint of its highest step."""
    usable = [each for each in checkpoints if each.violation is None and is_whole(keep, each)]
    return {each.alias: each for each in sorted(usable, key=lambda each: each.step or 0)}


def stopped_at(root: Path) -> tuple[Checkpoint, ...]:
    """What the cases of an attempt left when they were asked to stop; `root` is the attempt's directory."""
    found: tuple[Checkpoint, ...] = ledger.read(root / "checkpoints.jsonl", CHECKPOINTS)
    return found
