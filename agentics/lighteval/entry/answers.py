"""What identifies a request, and what is known of its answer: the same question to the same model is asked once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from agentics.lighteval.entry.emit import plain

_ASKED_WITH = {
    "accelerate": ("lighteval", "transformers", "torch", "tokenizers"),
    "vllm": ("lighteval", "vllm", "transformers", "torch", "tokenizers"),
    "endpoint_litellm": ("lighteval", "litellm"),
    "endpoint_inference_providers": ("lighteval", "huggingface_hub"),
    "custom": ("lighteval",),
    "dummy": ("lighteval",),
}
_NOT_IN_ANSWERS = ("parallel_calls_count", "api_key_env", "model_path")
_SLOW_ONLY = ("timeout", "api_max_retry", "api_retry_sleep", "batch_size")
"""Options that change how long it takes, and not what is said."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Makes the key of a request: everything that can change its answer."""

    backend: Mapping[str, Any]
    generation: Mapping[str, Any]
    plugins: tuple[str, ...]
    prompt_sha256: str

    def key(self, doc: Any, sampling: str) -> str:  # noqa: ANN401 - LightEval's Doc
        about = {
            "backend": _identity(self.backend),
            "generation": dict(self.generation),
            "versions": {name: version_of(name) for name in _ASKED_WITH[self.backend["type"]]},
            "plugins": self.plugins,
            "prompt": self.prompt_sha256,
            "sampling": sampling,
            "doc": _rendered(doc),
        }
        text = json.dumps(plain(about), sort_keys=True, ensure_ascii=False)
        return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


@dataclass
class Known:
    """Answers that need not be asked for, by key."""

    lines: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None) -> Known:
        if path is None or not path.is_file():
            return cls()
        with path.open("rb") as file:
            found = [json.loads(line) for line in file]
        return cls({line["key"]: line for line in found if line["status"] != "failed"})

    def response(self, key: str) -> Any:  # noqa: ANN401 - LightEval's ModelResponse
        from lighteval.models.model_output import ModelResponse  # noqa: PLC0415 - the worker's, and heavy

        line = self.lines.get(key)
        return None if line is None else ModelResponse(**line["response"])


def kept(response: Any) -> dict[str, Any]:  # noqa: ANN401 - LightEval's ModelResponse
    """A response as an event carries it. Raw logits are megabytes, and no metric reads them once it is kept."""
    found: dict[str, Any] = plain({**asdict(response), "logits": None, "text_post_processed": None})
    return found


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _identity(backend: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in backend.items() if key not in _NOT_IN_ANSWERS}
    options = {key: value for key, value in backend["options"].items() if key not in _SLOW_ONLY}
    return {**said, "options": options}


def _rendered(doc: Any) -> dict[str, Any]:  # noqa: ANN401 - LightEval's Doc
    return {
        "instruction": doc.instruction,
        "query": doc.query,
        "unconditioned_query": doc.unconditioned_query,
        "choices": doc.choices,
        "fewshots": [(shot.query, shot.choices, shot.gold_index) for shot in doc.fewshot_samples],
        "generation_size": doc.generation_size,
        "stop": list(doc.stop_sequences or ()),
        "num_samples": doc.num_samples,
        "specific": doc.specific,
        "images": [hashlib.sha256(image.tobytes()).hexdigest() for image in doc.images or ()],
    }
