"""From a backend to a model that LightEval can ask: with what the job says, and nothing that LightEval would drop."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from agentics.lighteval.entry import hub
from agentics.lighteval.entry.emit import OrderError
from agentics.lighteval.entry.hiding import first

_OPTIONS = "/backend/options"


def load(order: Mapping[str, Any], modules: Mapping[str, ModuleType]) -> Any:  # noqa: ANN401 - a LightevalModel
    """The model of an order. Endpoints are not loaded but spoken to: see `endpoint`.

    Raises OrderError: backend_unavailable, unknown_option, model_failed, not_a_lighteval_model, …
    """
    makers = {"dummy": _dummy, "accelerate": _accelerate, "vllm": _vllm, "custom": _custom}
    backend = order["backend"]
    try:
        model = makers[backend["type"]](order, modules)
    except OrderError:
        raise
    except Exception as error:
        if type(error).__name__ in ("OutOfMemoryError", "MemoryError"):
            raise
        name = hub.repository(backend["model_name"], backend["revision"])
        absent = hub.why_not(name, error) if not backend["model_path"] else None
        if absent is not None:
            raise absent from error
        msg = first(f"{backend['model_name']}: {type(error).__name__}: {error}", 2000)
        raise OrderError(msg, "backend", "model_failed", field="/backend") from error
    model._cache = None  # noqa: SLF001 - LightEval's own answers from stale files; ours are outside
    model.cleanup = lambda: None  # it is asked again, for the next task
    return model


def parameters(generation: Mapping[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401 - LightEval's
    """LightEval's generation parameters, with those of the job that the backend takes there."""
    from lighteval.models.model_input import GenerationParameters  # noqa: PLC0415 - the worker's

    said = {name: generation[name] for name in names if generation.get(name) is not None}
    return GenerationParameters(**said)


def _config(kind: Any, fields: dict[str, Any], options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a ModelConfig
    import pydantic  # noqa: PLC0415 - the worker's

    try:
        return kind(**fields, **options, cache_dir="lighteval-cache")
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        msg = f"{place}: {first['msg']}"
        code = "unknown_option" if unknown else str(first["type"])
        raise OrderError(msg, "mapping", code, field=f"{_OPTIONS}/{place}") from error


def _dummy(order: Mapping[str, Any], _: Mapping[str, ModuleType]) -> Any:  # noqa: ANN401
    from lighteval.models.dummy.dummy_model import DummyModel, DummyModelConfig  # noqa: PLC0415

    backend, seed = order["backend"], order["generation"].get("seed")
    fields = {"model_name": backend["model_name"], **({} if seed is None else {"seed": seed})}
    return DummyModel(_config(DummyModelConfig, fields, backend["options"]))


def _accelerate(order: Mapping[str, Any], _: Mapping[str, ModuleType]) -> Any:  # noqa: ANN401
    from lighteval.models.transformers.transformers_model import (  # noqa: PLC0415
        TransformersModel,
        TransformersModelConfig,
    )

    backend, generation = order["backend"], order["generation"]
    options = dict(backend["options"])
    if options.get("continuous_batching"):
        msg = "continuous_batching does not work in LightEval 0.13"
        raise OrderError(msg, "mapping", "option_broken", field=f"{_OPTIONS}/continuous_batching")
    names = ("temperature", "top_p", "top_k", "repetition_penalty")
    fields = {
        "model_name": backend["model_path"] or backend["model_name"],
        "system_prompt": backend["system_prompt"],
        "generation_parameters": parameters(generation, names),
        **({"revision": backend["revision"]} if backend["revision"] else {}),
    }
    model = TransformersModel(_config(TransformersModelConfig, fields, options))
    if generation.get("temperature"):
        # Without this a checkpoint decides whether the temperature means anything.
        model.generation_config_dict["do_sample"] = True
    _probe_batch_size_once(model)
    return model


def _probe_batch_size_once(model: Any) -> None:  # noqa: ANN401 - LightEval's
    """LightEval looks for the largest batch by trying, at every call; here one answer stands for the model."""
    look, found = model._get_batch_size, dict[str, int]()  # noqa: SLF001 - it is asked by itself

    def once(*args: Any, **kwargs: Any) -> int:  # noqa: ANN401
        if "size" not in found:
            found["size"] = look(*args, **kwargs)
        return found["size"]

    model._get_batch_size = once  # noqa: SLF001


def _vllm(order: Mapping[str, Any], _: Mapping[str, ModuleType]) -> Any:  # noqa: ANN401
    from agentics.lighteval.entry.describe import why_no_vllm  # noqa: PLC0415

    why = why_no_vllm()
    if why is not None:
        raise OrderError(why, "backend", "backend_unavailable", field="/backend/type")
    from lighteval.models.vllm.vllm_model import VLLMModel, VLLMModelConfig  # noqa: PLC0415

    backend, generation = order["backend"], order["generation"]
    names = ("temperature", "top_p", "top_k", "min_p", "seed")
    penalties = ("repetition_penalty", "frequency_penalty", "presence_penalty")
    fields = {
        "model_name": backend["model_path"] or backend["model_name"],
        "system_prompt": backend["system_prompt"],
        "generation_parameters": parameters(generation, (*names, *penalties)),
        **({"revision": backend["revision"]} if backend["revision"] else {}),
    }
    return VLLMModel(_config(VLLMModelConfig, fields, backend["options"]))


def _custom(order: Mapping[str, Any], modules: Mapping[str, ModuleType]) -> Any:  # noqa: ANN401
    from lighteval.models.abstract_model import LightevalModel, ModelConfig  # noqa: PLC0415

    backend = order["backend"]
    name, module = backend["model_class"], modules[backend["model_plugin"]]
    made = getattr(module, name, None)
    if made is None:
        msg = f"plugin {backend['model_plugin']} has no class {name}"
        raise OrderError(msg, "backend", "not_a_lighteval_model", field="/backend/model/class_name")
    if not (inspect.isclass(made) and issubclass(made, LightevalModel)):
        msg = f"{name} of plugin {backend['model_plugin']} is no subclass of LightEval's LightevalModel"
        raise OrderError(msg, "backend", "not_a_lighteval_model", field="/backend/model/class_name")
    said = {key: value for key, value in order["generation"].items() if key not in ("max_new_tokens", "stop")}
    fields = {
        "model_name": backend["model_name"],
        "system_prompt": backend["system_prompt"],
        "generation_parameters": parameters(said, tuple(said)),
    }
    kind: Any = made
    config = getattr(made, "Config", ModelConfig)
    if backend["model_path"]:
        if "model_path" not in config.model_fields:
            msg = f"{name} of plugin {backend['model_plugin']} takes no model_path"
            hint = "give the class a Config, a ModelConfig of LightEval's, with a field model_path"
            raise OrderError(msg, "mapping", "field_unsupported", field="/backend/model_path", hint=hint)
        fields["model_path"] = backend["model_path"]
    return kind(_config(config, fields, backend["options"]))
