"""`describe`: the versions of everything, and what this worker can run. Imports nothing heavy to know it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any

from agentics.lighteval.entry.answers import version_of
from agentics.lighteval.entry.emit import Stop

_PACKAGES = (
    "lighteval",
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "datasets",
    "huggingface_hub",
    "litellm",
    "openai",
    "vllm",
    "numpy",
    "pyarrow",
    "xxhash",
)


def run(order: dict[str, Any], folder: Path, emit: Callable[..., None], stop: Stop, kept: dict[str, Any]) -> None:  # noqa: ARG001
    """Tell what `facts` says."""
    emit("environment", **facts())


def facts() -> dict[str, Any]:
    """The fields of an `environment` event."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    versions.update({name: version_of(name) for name in _PACKAGES})
    missing = "it is not installed in this worker's environment"
    backends = {
        "dummy": None,
        "custom": None,
        "accelerate": None if versions["transformers"] and versions["torch"] else f"transformers: {missing}",
        "vllm": why_no_vllm(),
        "endpoint_litellm": None if versions["litellm"] else f"litellm: {missing}",
        "endpoint_inference_providers": None if versions["huggingface_hub"] else f"huggingface_hub: {missing}",
    }
    return {"versions": versions, "machine": _machine(), "backends": backends}


def why_no_vllm() -> str | None:
    """None where vLLM can run: installed, in the range that LightEval asks for."""
    try:
        have = version("vllm")
    except PackageNotFoundError:
        return f"vllm is not installed in this worker's environment ({_wanted()}); it needs an environment of its own"
    from lighteval.utils.imports import is_package_available  # noqa: PLC0415 - the worker's

    if not is_package_available("vllm"):
        return f"vllm {have} is installed, and LightEval works with {_wanted()}"
    return None


def _wanted() -> str:
    try:
        asked = metadata("lighteval").get_all("Requires-Dist") or []
    except PackageNotFoundError:
        return "LightEval is not installed"
    return next((line.split(";")[0].strip() for line in asked if line.startswith("vllm")), "vllm")


def _machine() -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": _gpus(),
        "offline": os.environ.get("HF_HUB_OFFLINE") == "1",
    }


def _gpus() -> list[str]:
    """Their names, as the driver lists them: asking torch would start CUDA in a process that is to be forked."""
    found = []
    for place in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = place.read_text(encoding="utf-8", errors="replace").splitlines()
        found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model")]
    return found
