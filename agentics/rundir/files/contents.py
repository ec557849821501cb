"""What may lie in a run directory, and what each file is: one table for attesting, verifying and validating."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, JsonValue, RootModel

from agentics.model.bundle.public_challenge import PublicChallenge
from agentics.model.evidence.explanation import Explanation
from agentics.model.evidence.setup_record import SetupRecord
from agentics.model.evidence.stage_record import StageRecord, TraceEvent
from agentics.model.evidence.trial_evidence import (
    CaseRecord,
    Checkpoint,
    ContainerRecord,
    SessionRecord,
    TrialEvidence,
)
from agentics.model.job.jobspec import JobSpec
from agentics.model.job.judge_verdict import AnswerVerdict
from agentics.model.job.suite import Suite
from agentics.model.job.worker_protocol import Answer, JudgeReply, Sample
from agentics.model.plan.trial_plan import Plan
from agentics.model.run.analysis import AnalysisComparisons, AnalysisSummary
from agentics.model.run.attestation import Attestation, StateInventory
from agentics.model.run.benchmark import AdapterManifest, BenchmarkSummary, Grading, PredictionRecord, ScoreRecord
from agentics.model.run.control import ControlRequest, ControlResponse, ForkManifest, RegradeManifest, ReplayManifest
from agentics.model.run.directory import (
    InvocationLine,
    Manifest,
    RunControl,
    TrialInput,
    TrialMetadata,
    TrialResult,
    TrialState,
)
from agentics.model.run.event import RunnerEventLine
from agentics.model.run.experiment import ResolvedExperiment
from agentics.model.run.ledger import (
    EngineLease,
    EvidenceRecord,
    OperationLease,
    RecoveryReport,
    ScheduleProgress,
    SlotCommit,
    TaskChainState,
)
from agentics.model.run.outcome import RunOutcome, RunSummary, TaskStatus
from agentics.model.run.public_run import PublicRun
from agentics.rundir.files import safe_files
from agentics.rundir.files.leftovers import entries

ContentKind = Literal["truth", "content", "copy", "projection", "live", "seal"]
"""truth: nothing else says it. content: named by its digest. copy: a record of the newest attempt, repeated.
projection: made from the rest, at any time. live: who is at work now, and what was told on the way; it may change or
go. seal: the attestation."""
FileForm = Literal["document", "ledger", "rows", "bytes"]
"""A ledger is chained; rows are JSON lines that are not."""

_PLACEHOLDER = re.compile(r"<(\w+)>")
_ANYTHING = "rest"


@dataclass(frozen=True, kw_only=True)
class FilePlace:
    """`name` is a path in which `<word>` stands for one name, and `<rest>` for a path. `model` None of a document or of
    rows: what its `schema_version` says."""

    name: str
    kind: ContentKind
    form: FileForm
    model: type[BaseModel] | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        parts = _PLACEHOLDER.split(self.name)
        words = (
            ".+" if part == _ANYTHING else "[^/]+" if index % 2 else re.escape(part) for index, part in enumerate(parts)
        )
        return re.compile("".join(words), re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class RunFile:
    """A file of a run. `path` is relative; `place` None where the table knows nothing of it."""

    path: str
    at: Path
    place: FilePlace | None = field(compare=False)

    @property
    def kind(self) -> ContentKind | None:
        return self.place.kind if self.place else None

    @property
    def form(self) -> FileForm | None:
        return self.place.form if self.place else None

    def read(self) -> bytes:
        """Raises OSError, and StorageError (unsafe_file) where it is larger than a file of its form may be."""
        return safe_files.read_lines(self.at) if self.form in ("ledger", "rows") else safe_files.read_file(self.at)


def _document(name: str, model: type[BaseModel] | None, kind: ContentKind = "truth") -> FilePlace:
    return FilePlace(name=name, kind=kind, form="document", model=model)


def _ledger(name: str, model: type[BaseModel]) -> FilePlace:
    return FilePlace(name=name, kind="truth", form="ledger", model=model)


def _rows(name: str, model: type[BaseModel] | None, kind: ContentKind = "truth") -> FilePlace:
    return FilePlace(name=name, kind=kind, form="rows", model=model)


def _bytes(name: str, kind: ContentKind = "truth") -> FilePlace:
    return FilePlace(name=name, kind=kind, form="bytes")


_TRIALS = ("trials/<trial>", "forks/<id>/trial_1", "replays/<id>/trial_1")
_OF_AN_ATTEMPT: dict[str, type[BaseModel] | None] = {
    "trial_input.json": TrialInput,
    "plan.json": Plan,
    "evidence.json": TrialEvidence,
    "state_inventory.json": StateInventory,
    "result.json": TrialResult,
    "evidence/<document>.json": None,
}
_LOGS = ("harness_stdout.log", "harness_stderr.log")

_LEDGERS: dict[str, type[BaseModel]] = {
    "containers.jsonl": ContainerRecord,
    "setups.jsonl": SetupRecord,
    "cases.jsonl": CaseRecord,
    "sessions.jsonl": SessionRecord,
    "checkpoints.jsonl": Checkpoint,
    "answers.jsonl": Answer,
    "samples.jsonl": Sample,
    "judgements.jsonl": JudgeReply,
    "verdicts.jsonl": AnswerVerdict,
    "stages.jsonl": StageRecord,
}


def _of_a_trial(trial: str) -> Iterator[FilePlace]:
    attempt = f"{trial}/attempts/<n>"
    yield from (_ledger(f"{attempt}/{name}", model) for name, model in _LEDGERS.items())
    yield _rows(f"{attempt}/trace.jsonl", TraceEvent)
    yield from (_document(f"{attempt}/{name}", model) for name, model in _OF_AN_ATTEMPT.items())
    yield from (_bytes(f"{attempt}/{name}") for name in _LOGS)
    yield _document(f"{trial}/trial_metadata.json", TrialMetadata)
    yield _document(f"{trial}/trial_state.json", TrialState)
    yield from (_document(f"{trial}/{name}", model, "copy") for name, model in _OF_AN_ATTEMPT.items())
    yield from (_bytes(f"{trial}/{name}", "copy") for name in _LOGS)
    yield _document(f"{trial}/explanation.json", Explanation, "projection")
    yield _bytes(f"{trial}/cases/<case>/<rest>", "projection")


PLACES: tuple[FilePlace, ...] = (
    _document("attestation.json", Attestation, "seal"),
    _bytes("artifacts/sha256/<digest>/blob", "content"),
    _document("manifest.json", Manifest),
    _document("resolved_experiment.json", ResolvedExperiment),
    _bytes("resolved_experiment.digest"),
    _document("jobs/<variant>/jobspec.json", JobSpec),
    _document("jobs/<variant>/suite.json", Suite),
    _ledger("runtime/invocations.jsonl", InvocationLine),
    _ledger("runtime/slot_commit_journal.jsonl", SlotCommit),
    _ledger("evidence/evidence_records.jsonl", EvidenceRecord),
    _ledger("evidence/task_chain_states.jsonl", TaskChainState),
    *(place for trial in _TRIALS for place in _of_a_trial(trial)),
    _document("runtime/run_control.json", RunControl),
    _document("runtime/schedule_progress.json", ScheduleProgress),
    _document("runtime/recovery_report.json", RecoveryReport),
    _rows("runtime/events.jsonl", RunnerEventLine),
    _document("runtime/engine_lease.json", EngineLease, "live"),
    _document("runtime/operation_lease.json", OperationLease, "live"),
    _document("runtime/grading.json", Grading, "live"),
    _document("runtime/requests/<id>.request.json", ControlRequest, "live"),
    _document("runtime/requests/<id>.response.json", ControlResponse, "live"),
    _bytes("runtime/operation.lock", "live"),
    _bytes("runtime/control.lock", "live"),
    _bytes("runtime/eval.log", "live"),
    _bytes("runtime/stages.log", "live"),
    _document("replays/<id>/manifest.json", ReplayManifest),
    _document("forks/<id>/manifest.json", ForkManifest),
    _document("regrades/<id>.json", RegradeManifest),
    _document("benchmark/adapter_manifest.json", AdapterManifest),
    _rows("benchmark/predictions.jsonl", PredictionRecord),
    _rows("benchmark/scores.jsonl", ScoreRecord),
    _document("benchmark/summary.json", BenchmarkSummary),
    _bytes("benchmark/<rest>"),
    _bytes("benchmark_history/<rest>"),
    _bytes("damaged/<rest>"),
    _document("analysis/summary.json", AnalysisSummary, "projection"),
    _document("analysis/comparisons.json", AnalysisComparisons, "projection"),
    _rows("analysis/tables/<table>.jsonl", None, "projection"),
    _bytes("analysis/load_duckdb.sql", "projection"),
    _document("public/run.json", PublicRun, "projection"),
    _document("public/challenges/<challenge>.json", PublicChallenge, "projection"),
    _document("<variant>/run_outcome.json", RunOutcome, "projection"),
    _document("<variant>/run_summary.json", RunSummary, "projection"),
    _document("<variant>/<task>/task_status.json", TaskStatus, "projection"),
)
"""In the order in which they are looked at: what others rest on comes first. The first that fits a path is its own."""


def place_of(path: str) -> FilePlace | None:
    """The place of a path relative to the run directory."""
    return next((place for place in PLACES if place.pattern.fullmatch(path)), None)


def files(root: Path) -> tuple[RunFile, ...]:
    """Every regular file of a run in the order of their places, then by path; unknown ones last. Links are not
    followed, and a name that is not UTF-8 is no name of a file.

    Half-written files of a writer that died or is at work are left out: they are nobody's yet.
    """
    found = [RunFile(path=path, at=root / path, place=place_of(path)) for path, sound in entries(root) if sound]
    order = {place.name: index for index, place in enumerate(PLACES)}
    return tuple(sorted(found, key=lambda f: (order[f.place.name] if f.place else len(order), f.path)))


def strange(root: Path) -> tuple[str, ...]:
    """The paths of what is no file that a run can hold: links, special files, names that are not UTF-8. Sorted."""
    return tuple(sorted(path for path, sound in entries(root) if not sound))


def versions(models: dict[str, type[BaseModel]]) -> dict[JsonValue, type[BaseModel]]:
    """Documents by what their `schema_version` says, those that have a text for it."""
    found: dict[JsonValue, type[BaseModel]] = {}
    for model in models.values():
        for said in _versions_of(model):
            found[said] = model
    return found


def _versions_of(model: type[BaseModel]) -> tuple[str, ...]:
    if issubclass(model, RootModel):
        return ("runner_event_v1",) if model is RunnerEventLine else ()
    about = model.model_fields.get("schema_version")
    return tuple(word for word in get_args(about.annotation) if isinstance(word, str)) if about else ()
