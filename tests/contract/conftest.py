"""Documents that are in order, to be broken in one place by each test."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

GONE = object()
CPU_IMAGE = "ghcr.io/agentic-science/agentics-linux-arm64-cpu:ubuntu26.04-v1@sha256:" + "0" * 64
CUDA_IMAGE = "ghcr.io/agentic-science/agentics-linux-arm64-cuda:cu130-v1@sha256:" + "0" * 64


def change(document: Any, pointer: str, value: Any) -> Any:
    """A copy of the document with `value` at the pointer; GONE removes what is there."""
    changed = copy.deepcopy(document)
    here = changed
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in path:
        here = here[int(part)] if isinstance(here, list) else here[part]
    key: Any = int(last) if isinstance(here, list) else last
    if value is GONE:
        del here[key]
    else:
        here[key] = value
    return changed


def encode(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


@pytest.fixture
def changed():
    return change


@pytest.fixture
def gone():
    return GONE


@pytest.fixture
def encoded():
    return encode


def _stage() -> dict[str, Any]:
    return {
        "timeout_sec": 10,
        "memory_limit_mb": 256,
        "cpu_limit_millis": 1000,
        "disk_limit_mb": 64,
        "network_access": "disabled",
    }


def _target() -> dict[str, Any]:
    image = {"source": "registry", "reference": CPU_IMAGE}
    return {
        "name": "linux-arm64-cpu",
        "docker_platform": "linux/arm64",
        "accelerator": None,
        "validation_enabled": True,
        "resource_profile": {
            "name": "cpu-small",
            "resource_description": None,
            "solution_image": image,
            "evaluator_image": dict(image),
            "solution": {"setup": _stage(), "build": _stage(), "run": _stage()},
            "evaluator": {"setup": _stage(), "run": _stage()},
            "hardware_metadata": None,
        },
    }


def _separated() -> dict[str, Any]:
    return {
        "mode": "separated_evaluator",
        "separated_evaluator": {"command": ["python3", "separated-evaluator/e.py"], "result_file": "result.json"},
        "validation_runs": "public/runs.json",
        "validation_setup": None,
        "official_runs": "private-benchmark/runs.json",
        "official_evaluation_setup": None,
    }


def _piped() -> dict[str, Any]:
    return {
        "mode": "piped_stdio",
        "interactive_evaluator": {"command": ["python3", "interactive-evaluator/e.py"], "result_file": "result.json"},
        "acknowledge_stdio_protocol_framing": True,
        "validation_session": "public/session.json",
        "validation_setup": None,
        "official_session": "private-benchmark/session.json",
        "official_evaluation_setup": None,
    }


def _coexecuted() -> dict[str, Any]:
    return {
        "mode": "coexecuted_benchmark",
        "coexecuted_evaluator": {"command": ["python3", "coexecuted-evaluator/e.py"], "result_file": "result.json"},
        "acknowledge_danger": True,
        "validation_setup": None,
        "official_evaluation_setup": None,
    }


def _metric(name: str, visibility: str = "public") -> dict[str, Any]:
    return {
        "name": name,
        "label": name.title(),
        "unit": None,
        "direction": "maximize",
        "visibility": visibility,
        "metric_description": None,
    }


@pytest.fixture
def spec() -> dict[str, Any]:
    """A separated challenge with private official data."""
    return {
        "schema_version": 1,
        "challenge_name": "sum-two",
        "challenge_title": "Sum two",
        "summary": {"en": "Add.", "zh": "相加。"},
        "keywords": ["arithmetic", "Stdio"],
        "solution": {"protocol": "zip_project", "manifest_file": "agentics.solution.json"},
        "targets": [_target()],
        "starts_at": "2026-01-01T00:00:00Z",
        "closes_at": None,
        "eligibility": {"type": "open"},
        "validation_submission_limit": 20,
        "official_submission_limit": None,
        "visibility": {
            "leaderboard": "public_live",
            "score_distribution": "hidden",
            "result_detail": "submitter_only",
        },
        "solution_publication": "private",
        "execution": _separated(),
        "datasets": {
            "public_dir": "public",
            "private_benchmark_dir": "private-benchmark",
            "public_policy": "full",
            "private_benchmark_policy": "score_only",
            "private_benchmark_enabled": True,
        },
        "metric_schema": {
            "metrics": [_metric("score"), _metric("time"), _metric("secret_share", "official")],
            "ranking": {"primary_metric_name": "score", "tie_breaker_metric_names": ["time"]},
        },
    }


@pytest.fixture
def piped_spec(spec):
    return change(spec, "/execution", _piped())


@pytest.fixture
def coexecuted_spec(spec):
    spec = change(spec, "/execution", _coexecuted())
    return change(spec, "/targets/0/resource_profile/solution/run", None)


@pytest.fixture
def cuda_spec(spec):
    target = spec["targets"][0]
    profile = target["resource_profile"]
    target |= {"name": "linux-arm64-cuda", "accelerator": "gpu"}
    profile["solution_image"]["reference"] = profile["evaluator_image"]["reference"] = CUDA_IMAGE
    profile["hardware_metadata"] = {
        "kind": "cuda",
        "gpu_model": "H200",
        "gpu_count": 1,
        "gpu_memory_gb": 141,
        "cuda_variant": "cu130",
        "cuda_version": "13.0",
        "driver_minimum": None,
    }
    return spec


@pytest.fixture
def proposal(spec) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "request": "new_challenge",
        "challenge_name": spec["challenge_name"],
        "title": spec["challenge_title"],
        "summary": spec["summary"],
        "keywords": spec["keywords"],
        "readme_path": "README.md",
        "bundle_path": "v1",
        "private_assets": [
            {
                "asset_name": "official-cases",
                "kind": "private_benchmark_data",
                "required": True,
                "required_paths": ["private-benchmark/runs.json"],
            }
        ],
    }


def _run(name: str, **more: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("stdin_json", "stdin_text", "input_files", "output_files", "metadata"))
    return {"run_name": name, "interface": "stdio", **empty, **more}


@pytest.fixture
def run_manifest() -> dict[str, Any]:
    inputs = [
        {"path": "a.txt", "content": "1 2"},
        {"path": "deep/b.json", "content_json": [1, None]},
        {"path": "c.bin", "source_path": "public/c.bin", "content": None},
    ]
    return {
        "runs": [
            _run("one", stdin_text="1 2\n", metadata={"answer": 3}),
            _run("two", stdin_json={"a": [1]}, input_files=inputs, output_files=["out/x", "y"]),
        ]
    }


@pytest.fixture
def session_manifest() -> dict[str, Any]:
    return {"session_name": "main", "input_files": [{"path": "c", "content": ""}], "metadata": {"cases": [1]}}


@pytest.fixture
def solution() -> dict[str, Any]:
    return {"protocol": "zip_project", "protocol_version": 1, "commands": {"run": "scripts/run.sh"}}


@pytest.fixture
def result() -> dict[str, Any]:
    return {
        "status": "passed",
        "mode": "official",
        "aggregate_metrics": [{"metric_name": "score", "value": 1, "unit": "ignored"}],
        "run_metrics": [{"run_name": "one", "metrics": [{"metric_name": "time", "value": 0.5}], "extra": {}}],
        "public_results": [{"case_name": "one", "status": "passed", "score": 1.0, "wall_time_ms": 7}],
        "validation_summary": None,
        "official_summary": {"score": 1.0, "passed": 1, "total": 1, "ratio": 1},
        "logs": ["fine"],
    }


@pytest.fixture
def write_tree():
    """Write files given as a mapping from path to text, bytes or JSON."""

    def write(root: Path, files: dict[str, Any]) -> Path:
        for path, content in files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            raw = content.encode() if isinstance(content, str) else content
            target.write_bytes(raw if isinstance(raw, bytes) else encode(raw))
        return root

    return write


@pytest.fixture
def bundle_files(spec, run_manifest) -> dict[str, Any]:
    """The public files of the bundle of `spec`."""
    return {
        "spec.json": spec,
        "statement.md": "# Sum two\n",
        "public/runs.json": run_manifest,
        "public/c.bin": b"\0\xff",
        "separated-evaluator/e.py": "print()\n",
    }


@pytest.fixture
def bundle(tmp_path, write_tree, bundle_files) -> Path:
    return write_tree(tmp_path / "bundle", bundle_files)


@pytest.fixture
def proposed(tmp_path, write_tree, bundle_files, proposal) -> Path:
    """A proposal in a directory of its challenge's name."""
    files = {f"v1/{path}": content for path, content in bundle_files.items()}
    files |= {"agentics.challenge.json": proposal, "README.md": "Sum two."}
    return write_tree(tmp_path / "sum-two", files)
