"""Whether a prompt was cut to fit the model. LightEval's own count subtracts tokens from characters, or is always 0."""

from __future__ import annotations

from typing import Any


def prompt_cut(kind: str, model: Any, doc: Any, sampling: str, response: Any) -> bool | None:  # noqa: ANN401 - LightEval's
    """`kind`: the backend's type. None: the backend does not tell."""
    if kind == "dummy":
        return False
    if kind not in ("accelerate", "vllm"):
        # A model of a plugin counts itself, or does not: 0 is LightEval's default.
        return True if response.truncated_tokens_count > 0 else None
    if sampling == "logprobs":
        longest = max((sum(token >= 0 for token in tokens) for tokens in _lists(response.output_tokens)), default=0)
        return model.max_length is not None and len(response.input_tokens) + longest > model.max_length
    prompt = model.prompt_manager.prepare_prompt(doc)
    whole = model.tokenizer(prompt, add_special_tokens=model.add_special_tokens)["input_ids"]
    # The tokens that were asked with are padded to the longest of a batch, and never beyond what the model takes.
    return len(whole) > len(response.input_tokens)


def _lists(rows: Any) -> list[list[int]]:  # noqa: ANN401 - lists or tensors
    return [row.tolist() if hasattr(row, "tolist") else list(row) for row in rows]
