"""`python -m agentics.lighteval.entry.catalogue OUT.json`: what LightEval ships, for whoever must not import it.

Tasks of every module that loads without a network, and the options of every backend as JSON Schemas. The same
environment gives the same bytes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from agentics.lighteval.entry import surroundings
from agentics.lighteval.entry.emit import metric_name

VERSION = 1
_SAMPLING = {"GENERATIVE": "generative", "LOGPROBS": "logprobs", "PERPLEXITY": "perplexity"}
_LEFT_OUT = {
    "lighteval.tasks.tasks.tiny_benchmarks": "it downloads a pickle when it is imported",
}
_NLTK = "data of NLTK, which LightEval downloads and the worker's image lacks"
_OFFLINE = {"lighteval.tasks.tasks.ifbench.main": _NLTK, "lighteval.tasks.tasks.ifeval.main": _NLTK}
_ENDPOINT = {
    "timeout": {"type": "number", "exclusiveMinimum": 0, "default": 60},
    "api_max_retry": {"type": "integer", "minimum": 0, "default": 4},
    "api_retry_sleep": {"type": "number", "exclusiveMinimum": 0, "default": 0.5},
    "max_model_length": {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}], "default": None},
}
_JOBSPECS = frozenset({"model_name", "generation_parameters", "system_prompt", "cache_dir", "revision"})
"""What the JobSpec itself has a field for, or decides."""


def main(target: Path) -> None:
    home = Path(tempfile.mkdtemp())
    target = target.absolute()
    os.chdir(home)  # LightEval leaves its caches wherever it is
    surroundings.arrange(home, online=False)
    surroundings.load()
    tasks, left_out = _tasks()
    modules = {name: _module(sys.modules[name]) for name in sorted({about["module"] for about in tasks.values()})}
    text = (
        f'{{"catalogue_version": {VERSION}, "lighteval": {json.dumps(version("lighteval"))},\n'
        f'"left_out": {_compact(dict(sorted(left_out.items())))},\n'
        f'"options": {_compact(_options())},\n'
        f'"modules": {_lines(modules)},\n"tasks": {_lines(tasks)}}}\n'
    )
    target.write_text(text, encoding="utf-8")


def _lines(table: dict[str, Any]) -> str:
    """An object with a line for each of its keys."""
    lines = [f" {json.dumps(name)}: {_compact(about)}" for name, about in sorted(table.items())]
    return "{\n" + ",\n".join(lines) + "\n}"


def _module(module: ModuleType) -> dict[str, Any]:
    """The parts of its docstring: each is a line `key:` and the lines up to the next empty one."""
    parts: dict[str, str] = {}
    for block in re.split(r"\n\s*\n", inspect.getdoc(module) or ""):
        head, _, rest = block.partition("\n")
        if head.rstrip().endswith(":"):
            parts[head.strip()[:-1]] = " ".join(rest.split())
    listed = {key: [item for item in re.split(r",\s*", parts.get(key, "")) if item] for key in ("languages", "tags")}
    offline = _OFFLINE.get(module.__name__)
    return {"about": parts.get("abstract", ""), **listed, "paper": parts.get("paper") or None, "offline": offline}


def _tasks() -> tuple[dict[str, Any], dict[str, str]]:
    found: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for name in sorted(set(_modules())):
        if name in _LEFT_OUT:
            left_out[name] = _LEFT_OUT[name]
            continue
        sys.modules.pop(name, None)  # an empty one stands there while nobody asks for it
        try:
            table = getattr(importlib.import_module(name), "TASKS_TABLE", ())
        except Exception as error:  # noqa: BLE001 - whatever it needs is not here
            left_out[name] = f"{type(error).__name__}: {error}"[:200]
            continue
        for config in table:
            found[config.name] = _task(config, name)
    return found, left_out


def _modules() -> Iterator[str]:
    """As LightEval's registry finds them: files, and folders that hold a main.py."""
    import lighteval.tasks.tasks as package  # noqa: PLC0415 - after the surroundings are arranged

    for folder in map(Path, package.__path__):
        yield from (f"{package.__name__}.{file.stem}" for file in folder.glob("*.py") if file.stem != "__init__")
        yield from (f"{package.__name__}.{file.parent.name}.main" for file in folder.glob("*/main.py"))


def _task(config: Any, module: str) -> dict[str, Any]:  # noqa: ANN401 - LightEval's
    samples = [m.sample_level_fn.num_samples() for m in config.metrics if _samples_several(m)]
    return {
        "module": module,
        "hf_repo": config.hf_repo,
        "hf_subset": config.hf_subset,
        "hf_revision": config.hf_revision,
        "hf_avail_splits": list(config.hf_avail_splits),
        "evaluation_splits": list(config.evaluation_splits),
        "few_shots_split": config.few_shots_split,
        "few_shots_select": config.few_shots_select,
        "generation_size": config.generation_size,
        "stop_sequence": list(config.stop_sequence or ()),
        "sampling": sorted({_SAMPLING[metric.category.name] for metric in config.metrics}),
        "metrics": [about for metric in config.metrics for about in _metric(metric)],
        "version": config.version,
        "num_samples": max(samples) if samples else None,
    }


def _samples_several(metric: Any) -> bool:  # noqa: ANN401 - LightEval's
    try:
        return hasattr(metric.sample_level_fn, "num_samples") and metric.sample_level_fn.num_samples() is not None
    except Exception:  # noqa: BLE001 - a metric whose parameters the job has to give
        return False


def _metric(metric: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - LightEval's
    names = metric.metric_name if isinstance(metric.metric_name, list) else [metric.metric_name]
    for name in names:
        higher = metric.higher_is_better
        if isinstance(higher, dict):
            higher = higher.get(name)
        yield {
            "name": metric_name(name),
            "category": _SAMPLING[metric.category.name],
            "higher_is_better": None if higher is None else bool(higher),
            "judge": hasattr(metric.sample_level_fn, "judge"),
        }


def _options() -> dict[str, Any]:
    from lighteval.models.transformers.transformers_model import TransformersModelConfig  # noqa: PLC0415
    from lighteval.models.vllm.vllm_model import VLLMModelConfig  # noqa: PLC0415

    own = {"type": "object", "additionalProperties": False, "properties": _ENDPOINT}
    return {
        "accelerate": _schema(TransformersModelConfig),
        "vllm": _schema(VLLMModelConfig),
        "endpoint_litellm": own,
        "endpoint_inference_providers": own,
        "dummy": {"type": "object", "additionalProperties": False, "properties": {}},
        "custom": {"type": "object", "additionalProperties": True, "properties": {}},
    }


def _schema(config: Any) -> dict[str, Any]:  # noqa: ANN401 - LightEval's
    schema = config.model_json_schema()
    properties = {name: about for name, about in schema["properties"].items() if name not in _JOBSPECS}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _compact(value: Any) -> str:  # noqa: ANN401 - JSON
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
