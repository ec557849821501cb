"""A model behind a server, as LightEval asks it. Who is not answered is failed: no answer is made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lighteval.models.abstract_model import LightevalModel, ModelConfig
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.prompt_manager import PromptManager

from agentics.lighteval.entry.emit import OrderError
from agentics.lighteval.entry.server import Server, at_once, litellm_server, providers_server

OPTIONS = frozenset({"timeout", "api_max_retry", "api_retry_sleep"})
_PARAMETERS = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")
_MAKERS = {"endpoint_litellm": litellm_server, "endpoint_inference_providers": providers_server}


class Endpoint(LightevalModel):  # type: ignore[misc] # LightEval is not installed where types are checked
    """`record` is told of every answer as it arrives, from many threads; `stop` is looked at before each request."""

    def __init__(self, backend: Mapping[str, Any], generation: Mapping[str, Any], server: Server) -> None:
        self.config = ModelConfig(model_name=backend["model_name"], system_prompt=backend["system_prompt"])
        self.backend, self.generation, self.server = backend, generation, server
        self.prompt_manager = PromptManager(
            use_chat_template=True, tokenizer=None, system_prompt=backend["system_prompt"]
        )
        self.record: Callable[..., None] | None = None
        self.stop: Any = None
        self._cache = None

    @property
    def tokenizer(self) -> Any:  # noqa: ANN401 - as LightEval has it
        return None

    @property
    def add_special_tokens(self) -> bool:
        return False

    @property
    def max_length(self) -> int:
        return 1 << 20  # the server's own limit counts

    def begin(self, stop: Any, limits: Mapping[str, Any] | None) -> None:  # noqa: ANN401 - emit.Stop
        """Another order. `limits`: `RequestLimits`, None for the defaults."""
        self.stop = stop
        self.server.begin(limits)

    def greedy_until(self, docs: Sequence[Any]) -> list[ModelResponse]:
        """Ask about all of them, so many in flight as the job says; told to stop, what was answered until then."""
        found: dict[int, ModelResponse] = {}

        def one(place: int) -> None:
            found[place] = self._one(docs[place])

        at_once(one, range(len(docs)), self.backend["parallel_calls_count"], self.stop)
        return [found[place] for place in sorted(found)]

    def loglikelihood(self, docs: Sequence[Any]) -> list[ModelResponse]:
        msg = "a server gives no log-probabilities of given answers"
        raise NotImplementedError(msg)

    def loglikelihood_rolling(self, docs: Sequence[Any]) -> list[ModelResponse]:
        return self.loglikelihood(docs)

    def _one(self, doc: Any) -> ModelResponse:  # noqa: ANN401 - LightEval's Doc
        messages = self.prompt_manager.prepare_prompt_api(doc)
        asked = self.server.completion(messages, self._parameters(doc), self.stop)
        response = None
        if asked.completion is not None:
            found = asked.completion
            response = ModelResponse(text=found.texts, reasonings=found.reasonings, input=messages)
        if self.record is not None:
            self.record(doc, response, asked)
        return response or ModelResponse(text=[""] * doc.num_samples)

    def _parameters(self, doc: Any) -> dict[str, Any]:  # noqa: ANN401 - LightEval's Doc
        said = {name: self.generation.get(name) for name in _PARAMETERS}
        said["max_tokens"] = doc.generation_size if doc.generation_size and doc.generation_size > 0 else None
        said["stop"] = list(doc.stop_sequences or ()) or None
        said["n"] = doc.num_samples if doc.num_samples > 1 else None
        return {name: value for name, value in said.items() if value is not None}


def build(backend: Mapping[str, Any], generation: Mapping[str, Any]) -> Endpoint:
    """Raises OrderError (unknown_option)."""
    options = backend["options"]
    unknown = sorted(set(options) - OPTIONS)
    if unknown:
        msg = f"an endpoint has no option {unknown[0]!r}"
        hint = f"it has {', '.join(sorted(OPTIONS))}"
        raise OrderError(msg, "mapping", "unknown_option", field=f"/backend/options/{unknown[0]}", hint=hint)
    settings = {
        "model": backend["model_name"],
        "provider": backend["provider"],
        "base_url": backend["base_url"],
        "api_key_env": backend["api_key_env"],
        "timeout": options.get("timeout", 60.0),
        "retries": options.get("api_max_retry", 4),
        "pause_s": options.get("api_retry_sleep", 0.5),
    }
    return Endpoint(backend, generation, _MAKERS[backend["type"]](settings))
