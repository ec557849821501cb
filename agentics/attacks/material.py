"""Tiny bundles and solutions, made from parts: one for each topology, as small as a bundle may be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TARGET = "linux-amd64-cpu"
IMAGE = "agentics-linux-amd64-cpu:ubuntu26.04-base"
FOLDERS = {
    "separated_evaluator": "separated-evaluator",
    "piped_stdio": "interactive-evaluator",
    "coexecuted_benchmark": "coexecuted-evaluator",
}
RUN = {"output_files": None, "metadata": None, "stdin_json": None, "stdin_text": None, "input_files": None}
SHARE = {
    "name": "share",
    "label": "Share",
    "unit": None,
    "direction": "maximize",
    "visibility": "public",
    "metric_description": "Right answers divided by all.",
}


def stage(timeout_sec: int, memory_limit_mb: int = 128, disk_limit_mb: int = 16) -> dict[str, Any]:
    return {
        "timeout_sec": timeout_sec,
        "memory_limit_mb": memory_limit_mb,
        "cpu_limit_millis": 1000,
        "disk_limit_mb": disk_limit_mb,
        "network_access": "disabled",
    }


def profile(run: dict[str, Any] | None, evaluator: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "tiny",
        "resource_description": "Small.",
        "solution_image": {"source": "local", "reference": IMAGE},
        "evaluator_image": {"source": "local", "reference": IMAGE},
        "solution": {"setup": stage(10), "build": stage(10, 512), "run": run},
        "evaluator": {"setup": stage(20), "run": evaluator},
        "hardware_metadata": {
            "kind": "cpu",
            "gpu_model": None,
            "gpu_count": None,
            "gpu_memory_gb": None,
            "cuda_variant": None,
            "cuda_version": None,
            "driver_minimum": None,
        },
    }


def spec(
    name: str, execution: dict[str, Any], resources: dict[str, Any], private_dir: str | None = "private-benchmark"
) -> dict[str, Any]:
    target = {
        "name": TARGET,
        "docker_platform": "linux/amd64",
        "accelerator": None,
        "validation_enabled": True,
        "resource_profile": resources,
    }
    return {
        "schema_version": 1,
        "challenge_name": name,
        "challenge_title": name,
        "summary": {"en": "A tiny challenge.", "zh": "一个很小的题目。"},
        "keywords": ["tiny"],
        "solution": {"protocol": "zip_project", "manifest_file": "agentics.solution.json"},
        "targets": [target],
        "starts_at": "2026-01-01T00:00:00Z",
        "closes_at": None,
        "eligibility": {"type": "open"},
        "validation_submission_limit": 50,
        "official_submission_limit": 10,
        "visibility": {
            "leaderboard": "public_live",
            "score_distribution": "public_live",
            "result_detail": "submitter_live_public_live",
        },
        "solution_publication": "public",
        "execution": execution,
        "datasets": {
            "public_dir": "public",
            "private_benchmark_dir": private_dir,
            "public_policy": "full",
            "private_benchmark_policy": "score_only",
            "private_benchmark_enabled": private_dir is not None,
        },
        "metric_schema": {
            "metrics": [SHARE],
            "ranking": {"primary_metric_name": "share", "tie_breaker_metric_names": None},
        },
    }


def separated(**official: str | None) -> dict[str, Any]:
    """`official`: official_runs or official_evaluation_setup; validation_setup too."""
    return {
        "mode": "separated_evaluator",
        "separated_evaluator": {
            "command": ["python3", "separated-evaluator/evaluate.py"],
            "result_file": "result.json",
        },
        "validation_runs": "public/runs.json",
        "validation_setup": None,
        "official_runs": None,
        "official_evaluation_setup": None,
        **official,
    }


def piped(**official: str | None) -> dict[str, Any]:
    return {
        "mode": "piped_stdio",
        "interactive_evaluator": {
            "command": ["python3", "interactive-evaluator/evaluate.py"],
            "result_file": "result.json",
        },
        "acknowledge_stdio_protocol_framing": True,
        "validation_session": "public/session.json",
        "validation_setup": None,
        "official_session": None,
        "official_evaluation_setup": None,
        **official,
    }


def coexecuted(**official: str | None) -> dict[str, Any]:
    return {
        "mode": "coexecuted_benchmark",
        "coexecuted_evaluator": {
            "command": ["python3", "coexecuted-evaluator/evaluate.py"],
            "result_file": "result.json",
        },
        "acknowledge_danger": True,
        "validation_setup": None,
        "official_evaluation_setup": None,
        **official,
    }


def lay(root: Path, files: Mapping[str, object]) -> Path:
    """Write files; what is neither text nor bytes becomes JSON."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return root


def bundle(root: Path, document: dict[str, Any], evaluator: str, files: Mapping[str, object]) -> Path:
    """A bundle below `root`, called like its challenge."""
    script = f"{FOLDERS[document['execution']['mode']]}/evaluate.py"
    own = {"spec.json": document, "statement.md": "# Tiny\n", script: evaluator, "public/note.txt": "public\n"}
    return lay(root / document["challenge_name"], {**own, **files})


def solution(root: Path, files: Mapping[str, object], **phases: str) -> Path:
    """A solution directory; it has run.sh, and a script for each phase given: `build`, `setup`."""
    commands = {name: f"{name}.sh" for name in ("run", *phases)}
    files = {**files, **{f"{name}.sh": text for name, text in phases.items()}}
    manifest = {"protocol": "zip_project", "protocol_version": 1, "note": "", "commands": commands}
    return lay(root, {"agentics.solution.json": manifest, "run.sh": "exec python3 -B main.py\n", **files})
