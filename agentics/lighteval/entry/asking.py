"""Asks a model for what is not known, and tells of every answer as it comes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from agentics.lighteval.entry.answers import Keys, Known, kept
from agentics.lighteval.entry.cuts import prompt_cut
from agentics.lighteval.entry.emit import OrderError, Stop
from agentics.lighteval.entry.hiding import first, hidden
from agentics.lighteval.entry.server import Asked

_OUT_OF_MEMORY = ("OutOfMemoryError", "MemoryError")

_METHODS = {"generative": "greedy_until", "logprobs": "loglikelihood"}
_ENDS = ("finish_reasons", "refusals", "truncated")
"""How an answer ended, which stands for the same question asked again."""
ENDPOINTS = ("endpoint_litellm", "endpoint_inference_providers")
EmitLine = Callable[..., None]


class Asking:
    """One order's requests. `counts`: answered, empty, failed and known."""

    def __init__(self, order: Mapping[str, Any], emit: EmitLine, stop: Stop, keys: Keys, known: Known) -> None:
        self.order, self.emit, self.stop, self.keys, self.known = order, emit, stop, keys, known
        self.counts = dict.fromkeys(("answered", "empty", "failed", "known"), 0)
        self._before: dict[str, Any] = {}
        self._ends: dict[str, dict[str, Any]] = {}

    def ask(self, model: Any, docs: Sequence[Any], sampling: str, seed: int) -> list[Any]:  # noqa: ANN401
        """A response for each document, None where there is none."""
        keys = [self.keys.key(doc, sampling) for doc in docs]
        found: dict[str, Any] = {key: self.known.response(key) for key in keys}
        for doc, key in zip(docs, keys, strict=True):
            if found[key] is not None:
                line = self.known.lines[key]
                usage, latency = line.get("usage") or {}, line.get("latency_s")
                self._ends[key] = {name: line[name] for name in _ENDS if name in line}
                self._tell(doc, key, seed, sampling, found[key], known=True, usage=usage, latency_s=latency)
        before = {key: self._before[key] for key in keys if found[key] is None and key in self._before}
        missing = {k: doc for doc, k in zip(docs, keys, strict=True) if found[k] is None and k not in before}
        ask = self._endpoint if self.order["backend"]["type"] in ENDPOINTS else self._local
        found.update({**before, **ask(model, missing, sampling, seed)})
        for doc, key in zip(docs, keys, strict=True):
            if key in before or (key in missing and missing[key] is not doc):
                # The same question twice, here or under another seed: asked once, and counted for each.
                self._tell(doc, key, seed, sampling, found[key])
        if self.order["fewshot_seeds"] > 1:
            self._before.update(found)
        return [found[key] for key in keys]

    def _local(self, model: Any, missing: Mapping[str, Any], sampling: str, seed: int) -> dict[str, Any]:  # noqa: ANN401
        found: dict[str, Any] = {}
        for keys in _chunks(list(missing), self._chunk()):
            self.stop.check()
            docs = [missing[key] for key in keys]
            _seed(model, self.order, keys[0])
            began = time.monotonic()
            responses = self._responses(model, docs, sampling)
            took = round((time.monotonic() - began) / len(docs), 6)
            for key, doc, response in zip(keys, docs, responses, strict=True):
                found[key] = response
                cut = prompt_cut(self.order["backend"]["type"], model, doc, sampling, response)
                self._ends[key] = {"truncated": cut}
                usage = {
                    "prompt_tokens": len(response.input_tokens) or None,
                    "completion_tokens": sum(map(len, response.output_tokens)) or None,
                }
                self._tell(doc, key, seed, sampling, response, usage=usage, latency_s=took)
        return found

    def _responses(self, model: Any, docs: Sequence[Any], sampling: str) -> Sequence[Any]:  # noqa: ANN401
        """What the model says, which is whatever a plugin wants. Raises OrderError."""
        from lighteval.models.model_output import ModelResponse  # noqa: PLC0415 - the worker's, and heavy

        name = self.order["backend"]["model_name"]
        # A custom model's own exception is its author's.
        stage = "backend" if self.order["backend"]["type"] == "custom" else "generation"
        try:
            said = list(getattr(model, _METHODS[sampling])(docs))
        except BaseException as error:
            if type(error).__name__ in _OUT_OF_MEMORY:
                raise
            if isinstance(error, NotImplementedError) and sampling == "logprobs":
                msg = f"{name} gives no {sampling} answers: {error}".rstrip(": ")
                raise OrderError(msg, stage, "metric_needs_logprobs", field="/backend") from error
            msg = first(f"{name}: {type(error).__name__}: {error}", 2000)
            raise OrderError(msg, stage, "model_failed", field="/backend") from error
        if len(said) != len(docs):
            msg = f"the model gave {len(said)} answers to {len(docs)} questions"
            raise OrderError(msg, stage, "wrong_number_of_answers", field="/backend")
        wrong = next((one for one in said if not isinstance(one, ModelResponse)), None)
        if wrong is not None or None in said:
            msg = f"{name} answers with a {type(wrong).__name__}, and not with LightEval's ModelResponse"
            raise OrderError(msg, stage, "model_failed", field="/backend")
        return [hidden(one) for one in said]

    def _endpoint(self, model: Any, missing: Mapping[str, Any], sampling: str, seed: int) -> dict[str, Any]:  # noqa: ANN401
        found: dict[str, Any] = dict.fromkeys(missing)
        key_of = {id(doc): key for key, doc in missing.items()}

        def record(
            doc: Any,  # noqa: ANN401
            response: Any,  # noqa: ANN401
            asked: Asked,
        ) -> None:
            key, said = key_of[id(doc)], asked.completion
            found[key] = response
            if said is not None:
                self._ends[key] = {"finish_reasons": said.finish_reasons, "refusals": said.refusals}
            usage = said.usage if said is not None else {}
            self._tell(doc, key, seed, sampling, response, error=asked.error, latency_s=asked.latency_s, usage=usage)

        model.record = record
        model.greedy_until(list(missing.values()))
        self.stop.check()
        return found

    def _tell(self, doc: Any, key: str, seed: int, sampling: str, response: Any, **facts: Any) -> None:  # noqa: ANN401
        status = "failed" if response is None else "answered"
        if response is not None and sampling == "generative" and not any(response.text):
            status = "empty"
        self.counts[status] += 1
        self.counts["known"] += bool(facts.get("known"))
        body = None if response is None else kept(response)
        about = {"key": key, "seed": seed, "doc_id": str(doc.id), "sampling": sampling}
        if response is None and facts.get("error") is None:
            facts["error"] = {"code": "failed", "message": "the same question failed before"}
        facts["usage"] = facts.get("usage") or {}
        self.emit("answer", **about, status=status, response=body, **self._ends.get(key, {}), **facts)

    def _chunk(self) -> int:
        # The dummy's numbers depend on how often it was asked: with a seed for each document they do not.
        return 1 if self.order["backend"]["type"] == "dummy" else int(self.order["chunk"])


def _seed(model: Any, order: Mapping[str, Any], key: str) -> None:  # noqa: ANN401
    """Random choices follow from the job's seed and the question, not from what was asked before."""
    kind, generation = order["backend"]["type"], order["generation"]
    seed = f"{generation.get('seed') or 0}/{key}"
    if kind == "dummy":
        model._random = random.Random(seed)  # noqa: S311, SLF001
    elif kind == "accelerate" and generation.get("temperature"):
        import torch  # noqa: PLC0415 - the worker's

        torch.manual_seed(random.Random(seed).getrandbits(63))  # noqa: S311


def _chunks(items: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
