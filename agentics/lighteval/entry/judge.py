"""`judge`: ask judges about answers. What they say is told as it is; to make something of it is not ours."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentics.lighteval.entry.emit import Stop
from agentics.lighteval.entry.server import Server, at_once, litellm_server

_PLACEHOLDER = re.compile(r"\{(question|answer|gold|choices)\}")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def run(order: dict[str, Any], folder: Path, emit: Callable[..., None], stop: Stop, kept: dict[str, Any]) -> None:
    """Carry out a judge order. A judge that fails is told of, item by item; it never ends the order."""
    items = list(_lines(folder / order["items"]))
    lines = _lines(folder / order["known"]) if order["known"] else ()
    known = {line["key"]: line for line in lines if line["error"] is None}
    for judge in order["judges"]:
        settings = {name: judge[name] for name in ("name", "model", "base_url", "api_key_env")}
        name = f"judge {json.dumps(settings)}"
        if name not in kept:
            kept[name] = litellm_server(settings)
        server: Server = kept[name]
        server.begin(order["limits"])
        asking = _Asking(judge, server, emit, stop)
        todo = [item for item in items if not asking.tell_known(item, known)]
        at_once(asking.ask, todo, judge["parallel_calls_count"], stop)
        stop.check()


def messages_for(template: Sequence[Mapping[str, str]], item: Mapping[str, Any]) -> list[dict[str, str]]:
    """The template with the item's texts in their places. Braces in a text are text."""
    choices = item["choices"]
    listed = "\n".join(f"{_LETTERS[place % 26]}. {text}" for place, text in enumerate(choices))
    texts = {
        "question": item["question"],
        "answer": item["answer"],
        "gold": "\n".join(item["gold"]),
        "choices": listed,
    }
    return [
        {"role": one["role"], "content": _PLACEHOLDER.sub(lambda match: str(texts[match[1]]), one["content"])}
        for one in template
    ]


def key_of(judge: Mapping[str, Any], item: Mapping[str, Any], messages: Sequence[Mapping[str, str]]) -> str:
    """Everything that can change what this judge says of this answer."""
    settings = {name: judge[name] for name in ("model", "base_url", "max_tokens", "temperature", "seed")}
    text = json.dumps({"judge": settings, "item": item["key"], "messages": messages}, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


class _Asking:
    """One judge."""

    def __init__(self, judge: Mapping[str, Any], server: Server, emit: Callable[..., None], stop: Stop) -> None:
        self.judge, self.server, self.emit, self.stop = judge, server, emit, stop
        said = {name: judge[name] for name in ("max_tokens", "temperature", "seed")}
        self.parameters = {name: value for name, value in said.items() if value is not None}

    def tell_known(self, item: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> bool:
        messages = messages_for(self.judge["messages"], item)
        key = key_of(self.judge, item, messages)
        line = known.get(key)
        if line is None:
            return False
        facts = {name: line[name] for name in ("text", "latency_s", "usage")}
        self.emit("judgement", **self._about(item, messages, key), **facts, known=True)
        return True

    def ask(self, item: Mapping[str, Any]) -> None:
        messages = messages_for(self.judge["messages"], item)
        asked = self.server.completion(list(messages), self.parameters, self.stop)
        found = asked.completion
        self.emit(
            "judgement",
            **self._about(item, messages, key_of(self.judge, item, messages)),
            text=found.texts[0] if found is not None else None,
            error=asked.error,
            latency_s=asked.latency_s,
            usage=found.usage if found is not None else {},
        )

    def _about(self, item: Mapping[str, Any], messages: Sequence[Mapping[str, str]], key: str) -> dict[str, Any]:
        about = {"item": item["key"], "seed": item["seed"], "doc_id": item["doc_id"], "judge": self.judge["name"]}
        return {"key": key, **about, "messages": list(messages)}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        yield from (json.loads(line) for line in file)
