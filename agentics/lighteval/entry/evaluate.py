"""`evaluate`: load the task, ask what is not known, score with LightEval's own metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agentics.lighteval.entry import describe, hub, hubwatch, models, plugins, tasks
from agentics.lighteval.entry.answers import Keys, Known
from agentics.lighteval.entry.asking import ENDPOINTS, Asking
from agentics.lighteval.entry.emit import OrderError, Stop, metric_name, plain

_SAMPLING = {"GENERATIVE": "generative", "LOGPROBS": "logprobs"}
_REASONING = [("<think>", "</think>")]
_CONSTANT = ("hash_full_prompts",)
"""LightEval hashes empty texts there: it says nothing."""


def run(order: dict[str, Any], folder: Path, emit: Callable[..., None], stop: Stop, kept: dict[str, Any]) -> None:
    """Carry out an evaluate order. Raises OrderError."""
    hubwatch.begin()
    emit("environment", **describe.facts())
    modules = plugins.load(order["plugins"], kept)
    task = tasks.load(order, modules)
    _check_asked(order, task)
    seeds = range(order["fewshot_seeds"])
    docs = {seed: tasks.documents(task, seed, order["max_samples"]) for seed in seeds}
    requests = sum(len(doc.sampling_methods) for each in docs.values() for doc in each)
    about = tasks.described(task, len(docs[0]), requests)
    emit("task", **about, generation=_settings(order, docs[0]))
    stop.check()
    known = Known.read(folder / order["known"] if order["known"] else None)
    model = _model(order, modules, kept)
    commit = kept["commit"]
    asking = Asking(order, emit, stop, _keys(order, task, commit), known)
    if order["backend"]["type"] in ENDPOINTS:
        model.begin(stop, order["limits"])
    reports = [_one_seed(order, task, docs[seed], seed, asking, model) for seed in seeds]
    counts = asking.counts
    asked = counts["answered"] + counts["empty"] + counts["failed"]
    emit("report", seeds=reports, asked=asked, **counts, warnings=task.warnings, model_commit=commit)


def _check_asked(order: Mapping[str, Any], task: Any) -> None:  # noqa: ANN401 - tasks.Task
    kind, config = order["backend"]["type"], task.config
    if kind in ENDPOINTS and task.sampling != ["generative"]:
        msg = f"{config.name} needs log-probabilities of given answers, and a server gives none"
        raise OrderError(msg, "task", "metric_needs_logprobs", field="/backend/type")
    most = max([1, *(m.sample_level_fn.num_samples() for m in config.metrics if _samples_several(m))])
    if most > 1 and not order["generation"].get("temperature") and kind not in ("dummy", "custom"):
        msg = f"{config.name} asks for {most} samples of each answer, which are all the same at temperature 0"
        raise OrderError(msg, "mapping", "sampling_needs_temperature", field="/generation/temperature")


def _samples_several(metric: Any) -> bool:  # noqa: ANN401 - LightEval's
    return hasattr(metric.sample_level_fn, "num_samples")


def _settings(order: Mapping[str, Any], docs: Sequence[Any]) -> dict[str, Any]:
    """What the task is really asked with."""
    doc = docs[0]
    said = {key: value for key, value in order["generation"].items() if value not in (None, [], ())}
    stop = list(doc.stop_sequences or ())
    return {**said, "max_new_tokens": doc.generation_size, "stop": stop, "num_samples": doc.num_samples}


def _keys(order: Mapping[str, Any], task: Any, commit: str | None) -> Keys:  # noqa: ANN401 - tasks.Task
    """`commit`: of a model from the hub. Another one gives other answers."""
    backend = order["backend"] if commit is None else {**order["backend"], "model_revision": commit}
    own = tuple(plugin["sha256"] for plugin in order["plugins"] if plugin["name"] == backend["model_plugin"])
    return Keys(backend=backend, generation=order["generation"], plugins=own, prompt_sha256=task.prompt_sha256)


def _model(order: Mapping[str, Any], modules: Mapping[str, Any], kept: dict[str, Any]) -> Any:  # noqa: ANN401
    """Loaded once in a session, as long as nothing of it changes."""
    wanted = (order["backend"], order["generation"])
    if kept.get("model_of") != wanted:
        for name in ("model", "model_of", "commit"):
            kept.pop(name, None)
        if order["backend"]["type"] in ENDPOINTS:
            from agentics.lighteval.entry import endpoint  # noqa: PLC0415 - imports LightEval

            kept["model"] = endpoint.build(order["backend"], order["generation"])
        else:
            kept["model"] = models.load(order, modules)
        kept["model_of"] = wanted
        # Now: another job may move the branch in the cache while this model answers.
        kept["commit"] = hub.model_commit(order["backend"])
    return kept["model"]


def _one_seed(
    order: Mapping[str, Any],
    task: Any,  # noqa: ANN401 - tasks.Task
    docs: Sequence[Any],
    seed: int,
    asking: Asking,
    model: Any,  # noqa: ANN401 - a LightevalModel
) -> dict[str, Any]:
    scoring = Scoring(task, order, asking, seed)
    for method in dict.fromkeys(method for doc in docs for method in doc.sampling_methods):
        wanted = [doc for doc in docs if method in doc.sampling_methods]
        responses = asking.ask(model, wanted, _SAMPLING[method.name], seed)
        scoring.add(method, wanted, responses)
    return scoring.report()


class Scoring:
    """One seed's scores, as LightEval computes them; what was not answered is left out, and never a zero."""

    def __init__(self, task: Any, order: Mapping[str, Any], asking: Asking, seed: int) -> None:  # noqa: ANN401
        from lighteval.logging.info_loggers import DetailsLogger  # noqa: PLC0415 - the worker's, and heavy

        self.task, self.order, self.asking, self.seed = task, order, asking, seed
        self.values: dict[str, list[Any]] = {}
        self.details = DetailsLogger()
        self.real = dict.fromkeys(("hash_input_tokens", "hash_cont_tokens"), False)

    def add(self, method: Any, docs: Sequence[Any], responses: Sequence[Any]) -> None:  # noqa: ANN401
        from lighteval.metrics import apply_metric  # noqa: PLC0415 - the worker's, and heavy

        there = [(doc, response) for doc, response in zip(docs, responses, strict=True) if response is not None]
        outputs: list[Any] = [None] * len(there)
        if there and self.order["score"]:
            _post_process(response for _, response in there)
            metrics = [metric for metric in self.task.config.metrics if metric.category == method]
            try:
                outputs = apply_metric(
                    docs=[doc for doc, _ in there], responses=[response for _, response in there], metrics=metrics
                )
            except Exception as error:
                msg = f"{self.task.config.name}: its metrics failed: {type(error).__name__}: {error}"
                raise OrderError(msg, "scoring", "metric_failed") from error
        scored = {id(doc): output for (doc, _), output in zip(there, outputs, strict=True)}
        for (doc, response), output in zip(there, outputs, strict=True):
            self._note(doc, response, output or {})
        for doc in docs:
            sampling = _SAMPLING[method.name]
            about = {"key": self.asking.keys.key(doc, sampling), "seed": self.seed, "doc_id": str(doc.id)}
            found = scored.get(id(doc))
            metrics_of = {metric_name(name): plain(value) for name, value in found.items()} if found else None
            self.asking.emit("sample", **about, sampling=sampling, doc=_doc(doc), metrics=metrics_of)

    def report(self) -> dict[str, Any]:
        aggregations: dict[str, Any] = {}
        for metric in self.task.config.metrics:
            aggregations.update(metric.get_corpus_aggregations())
        metrics: dict[str, Any] = {}
        for name, values in self.values.items():
            if name not in metrics:
                metrics.update(_aggregate(name, values, aggregations))
        named = {metric_name(name): about for name, about in metrics.items()}
        return {"seed": self.seed, "metrics": named, "hashes": self._hashes()}

    def _note(self, doc: Any, response: Any, output: Mapping[str, Any]) -> None:  # noqa: ANN401
        for name, value in output.items():
            self.values.setdefault(str(name), []).append(value)
        # As lists: LightEval hashes how tensors are printed, and an answer that was known has none.
        told = replace(response, input_tokens=plain(response.input_tokens), output_tokens=plain(response.output_tokens))
        self.details.log(self.task.name, doc, told, dict(output))
        self.real["hash_input_tokens"] |= len(told.input_tokens) > 0
        self.real["hash_cont_tokens"] |= len(told.output_tokens) > 0

    def _hashes(self) -> dict[str, str | None]:
        """LightEval's four, null where it hashes what is not there."""
        if not self.details.details:
            return {}
        self.details.aggregate()
        found = asdict(self.details.compiled_hashes[self.task.name])
        return {
            name: None if name in _CONSTANT or not self.real.get(name, True) else value for name, value in found.items()
        }


def _post_process(responses: Any) -> None:  # noqa: ANN401 - an iterable of ModelResponse
    from lighteval.utils.utils import remove_reasoning_tags  # noqa: PLC0415 - the worker's

    for response in responses:
        response.text_post_processed = [
            remove_reasoning_tags(text=text, tag_pairs=_REASONING) for text in response.text
        ]


def _aggregate(name: str, values: list[Any], aggregations: Mapping[str, Any]) -> dict[str, Any]:
    try:
        value = aggregations[name](values)
    except OverflowError:
        value = None
    except Exception as error:
        msg = f"{name}: its aggregation failed: {type(error).__name__}: {error}"
        raise OrderError(msg, "scoring", "metric_failed") from error
    if isinstance(value, Mapping):
        return {str(key): {"value": plain(item), "n": len(values)} for key, item in value.items()}
    return {name: {"value": _number(value), "stderr": _stderr(aggregations[name], values), "n": len(values)}}


def _number(value: Any) -> float | None:  # noqa: ANN401 - a number of numpy's, or not
    found = plain(value)
    return float(found) if isinstance(found, int | float) else None


def _stderr(aggregation: Any, values: list[Any]) -> float | None:  # noqa: ANN401 - a callable
    """Of a mean: deviation / sqrt(n). LightEval's bootstrap of others is some 32 times too small: none is given."""
    import numpy  # noqa: PLC0415 - the worker's

    if aggregation is not numpy.mean or len(values) < 2:  # noqa: PLR2004
        return None
    try:
        found = numpy.std(numpy.asarray(values, dtype=float), ddof=1) / numpy.sqrt(len(values))
    except (TypeError, ValueError):
        return None
    return _number(found)


def _doc(doc: Any) -> dict[str, Any]:  # noqa: ANN401 - LightEval's Doc
    return {
        "id": str(doc.id),
        "query": doc.query,
        "choices": plain(doc.choices),
        "gold_index": plain(doc.gold_index),
        "instruction": doc.instruction,
        "specific": plain(doc.specific),
        "fewshot": [{"query": shot.query, "gold": plain(shot.get_golds())} for shot in doc.fewshot_samples],
    }
