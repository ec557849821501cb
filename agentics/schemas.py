"""JSON Schemas (Draft 2020-12) of every document, generated from the models: the models are the source.

A schema says what a schema can say; rules across fields, byte lengths and integers written `1.0` only the loader sees.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agentics.model import (
    analysis,
    benchmark,
    control,
    event,
    experiment,
    experiment_file,
    hooks,
    ledger,
    outcome,
    public_run,
    rundir,
)
from agentics.model.challenge import Challenge
from agentics.model.checkreport import CheckReport
from agentics.model.evidence import TrialEvidence
from agentics.model.manifest import RunManifest, SessionManifest
from agentics.model.plan import Plan
from agentics.model.proposal import Proposal
from agentics.model.public import PublicChallenge
from agentics.model.result import Result
from agentics.model.solution import SolutionManifest

DRAFT = "https://json-schema.org/draft/2020-12/schema"
SUFFIX = ".schema.json"

FAMILIES = (
    analysis,
    benchmark,
    control,
    event,
    experiment,
    experiment_file,
    hooks,
    ledger,
    outcome,
    public_run,
    rundir,
)
"""The modules of records, each with its documents."""

DOCUMENTS: dict[str, type[BaseModel]] = {
    **{name.replace("_", "-"): model for records in FAMILIES for name, model in records.DOCUMENTS.items()},
    "challenge": Challenge,
    "check-report": CheckReport,
    "evidence": TrialEvidence,
    "plan": Plan,
    "proposal": Proposal,
    "public-challenge": PublicChallenge,
    "result": Result,
    "run-manifest": RunManifest,
    "session-manifest": SessionManifest,
    "solution": SolutionManifest,
}


def schema(name: str) -> dict[str, Any]:
    """The schema of a document by its name in DOCUMENTS. Raises KeyError."""
    found = DOCUMENTS[name].model_json_schema(mode="validation")
    return {"$schema": DRAFT, "$id": f"urn:agentics:schema:{name}", **found, "title": name}


def export(folder: Path) -> list[str]:
    """Write all schemas into `folder`, made if need be; the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in _texts().items():
        (folder / file).write_text(text, encoding="utf-8")
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
