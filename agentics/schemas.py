"""JSON Schemas (Draft 2020-12) of every document, generated from the models: the models are the source.

A schema says what a schema can say; rules across fields, byte lengths and integers written `1.0` only the loader sees.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agentics.errors import StorageError
from agentics.model.bundle.challenge import Challenge
from agentics.model.bundle.check_report import CheckReport
from agentics.model.bundle.evaluator_result import Result
from agentics.model.bundle.manifest import RunManifest, SessionManifest
from agentics.model.bundle.proposal import Proposal
from agentics.model.bundle.public_challenge import PublicChallenge
from agentics.model.bundle.solution import SolutionManifest
from agentics.model.evidence import explanation, hooks, stage_record, workspace
from agentics.model.evidence.setup_record import SetupRecord
from agentics.model.evidence.trial_evidence import (
    CaseRecord,
    Checkpoint,
    ContainerRecord,
    SessionRecord,
    TrialEvidence,
)
from agentics.model.job import comparison, job_result, jobspec, judge_template, plugin, result_files, suite
from agentics.model.job.judge_verdict import AnswerVerdict
from agentics.model.job.worker_protocol import Answer, JudgeReply, Sample
from agentics.model.plan.trial_plan import Plan
from agentics.model.run import (
    analysis,
    attestation,
    benchmark,
    control,
    directory,
    event,
    experiment,
    experiment_file,
    ledger,
    outcome,
    public_run,
)

DRAFT = "https://json-schema.org/draft/2020-12/schema"
SUFFIX = ".schema.json"

FAMILIES = (
    analysis,
    attestation,
    benchmark,
    control,
    event,
    experiment,
    experiment_file,
    explanation,
    hooks,
    comparison,
    result_files,
    job_result,
    jobspec,
    ledger,
    outcome,
    plugin,
    public_run,
    directory,
    stage_record,
    suite,
    judge_template,
    workspace,
)
"""The modules of records, each with its documents."""

DOCUMENTS: dict[str, type[BaseModel]] = {
    **{name.replace("_", "-"): model for records in FAMILIES for name, model in records.DOCUMENTS.items()},
    "case": CaseRecord,
    "challenge": Challenge,
    "check-report": CheckReport,
    "checkpoint": Checkpoint,
    "container": ContainerRecord,
    "evidence": TrialEvidence,
    "plan": Plan,
    "proposal": Proposal,
    "answer": Answer,
    "answer-verdict": AnswerVerdict,
    "judgement": JudgeReply,
    "public-challenge": PublicChallenge,
    "sample": Sample,
    "result": Result,
    "run-manifest": RunManifest,
    "session": SessionRecord,
    "session-manifest": SessionManifest,
    "setup-record": SetupRecord,
    "solution": SolutionManifest,
}

LINES = frozenset(
    {
        "answer",
        "answer-verdict",
        "case",
        "checkpoint",
        "container",
        "evidence-record",
        "invocation",
        "judgement",
        "sample",
        "session",
        "setup-record",
        "slot-commit-record",
        "stage-record",
        "task-chain-state",
    }
)
"""Records that are lines of ledgers: each has a last key more there, which chains it to the line before."""

ABSENT_IS_NULL = frozenset({"public-challenge"})
"""Documents in which a key that may be null is left out instead."""


def schema(name: str) -> dict[str, Any]:
    """The schema of a document by its name in DOCUMENTS. Raises KeyError."""
    found = DOCUMENTS[name].model_json_schema(mode="validation")
    if name in LINES:
        _chain(found)
    if name in ABSENT_IS_NULL:
        _spare_nullable(found)
    return {"$schema": DRAFT, "$id": f"urn:agentics:schema:{name}", **found, "title": name}


def _chain(found: dict[str, Any]) -> None:
    """Let a record be a line of a ledger, whichever of its alternatives it is."""
    names = [choice["$ref"].rpartition("/")[2] for choice in found.get("oneOf", ())]
    for record in [found["$defs"][name] for name in names] or [found]:
        record["properties"]["prev"] = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}


def _spare_nullable(found: dict[str, Any]) -> None:
    for record in (found, *found["$defs"].values()):
        nullable = {
            key for key, about in record.get("properties", {}).items() if {"type": "null"} in about.get("anyOf", ())
        }
        if "required" in record:
            record["required"] = [key for key in record["required"] if key not in nullable]


def export(folder: Path) -> list[str]:
    """Write all schemas into `folder`, made if need be; the names of the files. Raises StorageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in _texts().items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{folder}: cannot be written: {error.strerror}"
        raise StorageError(msg) from error
    return list(_texts())


def stale(folder: Path) -> list[str]:
    """The files of `folder` that `export` would write otherwise, or that belong to no document."""
    wanted = _texts()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob(f"*{SUFFIX}")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def _texts() -> dict[str, str]:
    return {
        f"{name}{SUFFIX}": json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n" for name in sorted(DOCUMENTS)
    }
