"""The rows of a trial's attempts in the evidence ledgers, made of nothing but what lies in the trial's directory."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from agentics.model.run.directory import TrialMetadata, TrialResult
from agentics.model.run.ledger import (
    ChainDiffs,
    ChainIds,
    ChainPolicy,
    ChainSnapshots,
    EvidenceRecord,
    EvidenceRefs,
    EvidenceRow,
    EvidenceRuntime,
    TaskChainState,
)
from agentics.rundir.files.atomic import read_document
from agentics.rundir.open_run import OpenRun

WORKSPACE = {
    "workspace_pre": "workspace_pre_snapshot.json",
    "workspace_post": "workspace_post_snapshot.json",
    "diff_incremental": "workspace_diff_incremental.json",
    "diff_cumulative": "workspace_diff_cumulative.json",
    "patch_incremental": "workspace_patch_incremental.json",
    "patch_cumulative": "workspace_patch_cumulative.json",
}
"""The documents on an attempt's workspace, below its `evidence/`."""

_FILES = {
    "trial_input": "trial_input.json",
    "trial_output": "result.json",
    **{key: f"evidence/{name}" for key, name in WORKSPACE.items()},
    "stdout": "harness_stdout.log",
    "stderr": "harness_stderr.log",
}
_SUPPLEMENTAL = ("plan.json", "evidence.json")


@dataclass(frozen=True)
class Rows:
    """What one commit appends."""

    evidence: tuple[EvidenceRecord, ...] = ()
    chain_states: tuple[TaskChainState, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.evidence or self.chain_states)

    @property
    def counts(self) -> dict[EvidenceRow, int]:
        return {"evidence": len(self.evidence), "chain_states": len(self.chain_states)}

    def payload(self) -> JsonValue:
        """All of it as JSON, for the digest that the journal keeps."""
        return [row.model_dump(mode="json") for row in (*self.evidence, *self.chain_states)]


def rows_of(run: OpenRun, trial_id: str, attempt: int, commit: str, *, elsewhere: Set[int] = frozenset()) -> Rows:
    """A row for every attempt up to this one that ended with a result, but for those that another commit has."""
    place = run.layout.trial(trial_id)
    metadata = read_document(place.metadata, TrialMetadata)
    found = [
        (number, result)
        for number in place.attempt_numbers()
        if number not in elsewhere
        and number <= attempt
        and (result := read_document(place.attempt(number) / "result.json", TrialResult)) is not None
    ]
    if metadata is None or not found:
        return Rows()
    refs = {number: _refs(run, place.attempt(number)) for number, _ in found}
    run.artifacts.commit()
    return Rows(
        evidence=tuple(_evidence(run, metadata, number, result, refs[number], commit) for number, result in found),
        chain_states=tuple(_chain(metadata, number, result, refs[number], commit) for number, result in found),
    )


def _refs(run: OpenRun, attempt: Path) -> dict[str, str]:
    """Content addresses of the attempt's files, by key; of supplemental ones by name."""
    names = {**_FILES, **{name: name for name in _SUPPLEMENTAL}}
    return {key: run.artifacts.put(attempt / name) for key, name in names.items() if (attempt / name).is_file()}


def _evidence(
    run: OpenRun, metadata: TrialMetadata, number: int, result: TrialResult, refs: dict[str, str], commit: str
) -> EvidenceRecord:
    ids, attempt = metadata.ids, run.layout.trial(metadata.ids.trial_id).attempt(number)
    wall_ms = round((result.ext.wall_s or 0.0) * 1000, 3)
    return EvidenceRecord(
        ts=result.ext.ended_at,
        ids=ids,
        attempt=number,
        slot_commit_id=commit,
        schedule_idx=metadata.schedule_idx,
        policy=ChainPolicy(chain_id=metadata.chain.chain_id if metadata.chain else ids.trial_id),
        runtime=EvidenceRuntime(exit_status="1" if result.outcome == "error" else "0", duration_ms=wall_ms),
        evidence=EvidenceRefs.model_validate(
            {
                **{f"{key}_ref": refs.get(key) for key in _FILES},
                "supplemental_refs": tuple(refs[name] for name in _SUPPLEMENTAL if name in refs),
            }
        ),
        paths={key: str((attempt / name).relative_to(run.root)) for key, name in _FILES.items() if key in refs},
        ext=_ext(result),
    )


def _ext(result: TrialResult) -> dict[str, JsonValue]:
    return {key: value for key, value in {"parent": result.ext.parent}.items() if value is not None}


def _chain(
    metadata: TrialMetadata, number: int, result: TrialResult, refs: dict[str, str], commit: str
) -> TaskChainState:
    ids, pre = metadata.ids, refs.get("workspace_pre")
    return TaskChainState(
        ts=result.ext.ended_at,
        run_id=ids.run_id,
        chain_id=metadata.chain.chain_id if metadata.chain else ids.trial_id,
        ids=ChainIds(trial_id=ids.trial_id, variant_id=ids.variant_id, task_id=ids.task_id, repl_idx=ids.repl_idx),
        attempt=number,
        slot_commit_id=commit,
        snapshots=ChainSnapshots(chain_root_ref=pre, prev_ref=pre, post_ref=refs.get("workspace_post")),
        diffs=ChainDiffs(
            incremental_ref=refs.get("diff_incremental"),
            cumulative_ref=refs.get("diff_cumulative"),
            patch_incremental_ref=refs.get("patch_incremental"),
            patch_cumulative_ref=refs.get("patch_cumulative"),
        ),
    )
