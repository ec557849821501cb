"""Experiment files to begin with, and how a test writes one and asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentics.errors import InvalidDocument
from agentics.request.experiment_file import asked_for, parse_experiment

PLAIN = {
    "name": "n",
    "tasks": ["one", "two"],
    "variants": [{"solution": "mine"}, {"solution": "other"}],
}
RESOLVED = {
    "version": "0.5",
    "experiment": {"id": "x", "name": "x", "workload_type": "challenge_evaluation"},
    "dataset": {
        "path": ".",
        "provider": "bundles",
        "suite_id": "s",
        "schema_version": "1",
        "split_id": "validation",
        "limit": 9,
    },
    "design": {
        "sanitization_profile": "hermetic",
        "comparison": "paired",
        "replications": 2,
        "random_seed": 3,
        "shuffle_tasks": True,
        "max_concurrency": 4,
        "policies": {
            "scheduling": "randomized",
            "comparison": "paired",
            "retry": {"max_attempts": 2, "retry_on": ["timeout"]},
            "pruning": {"max_consecutive_failures": 5},
        },
    },
    "baseline": {"variant_id": "a", "bindings": {"solution": "mine"}},
    "variant_plan": [{"variant_id": "b", "bindings": {"solution": "other", "depth": 2}}],
    "benchmark": {
        "policy": {"task_model": "independent", "required_evidence_classes": ["stdout_ref"]},
        "adapter": {"command": ["adapter", "x"], "timeout_s": 5},
    },
    "runtime": {"policy": {"timeout_ms": 1500, "network": {"mode": "none"}}},
}


def write(folder: Path, document, name: str = "e.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def request(folder: Path, document, name: str = "e.json"):
    path = write(folder, document, name)
    return asked_for(parse_experiment(path), path.parent).request


def refusals(folder: Path, document, name: str = "e.json"):
    with pytest.raises(InvalidDocument) as refused:
        parse_experiment(write(folder, document, name))
    return [(f.code, f.pointer) for f in refused.value.findings]


def changed(document, pointer: str, value):
    """A copy with another value at a JSON pointer."""
    copy = json.loads(json.dumps(document))
    *path, last = pointer.strip("/").split("/")
    here = copy
    for part in path:
        here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
    here[last] = value
    return copy
