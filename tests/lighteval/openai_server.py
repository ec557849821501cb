"""A server that speaks the chat completions of OpenAI's API, and does what a test wants of it."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.lighteval.http_server import serving


@dataclass
class FakeOpenAI:
    """`text` is what it says, or a capital. `repeats`: it says the key that it was sent. `failing`: status codes that
    the next requests get, then it is well. `always`: the status of every request. `reply`: what it sends instead of an
    answer. `drops`: it hangs up. `barrier`: requests wait there for one another. `silent_until`: nobody is answered
    before it is set."""

    host: str = "127.0.0.1"
    text: str | None = None
    repeats: bool = False
    failing: list[int] = field(default_factory=list)
    always: int | None = None
    reply: bytes | None = None
    drops: bool = False
    retry_after: str | None = None
    barrier: threading.Barrier | None = None
    silent_until: threading.Event | None = None
    asked: threading.Event = field(default_factory=threading.Event)
    bodies: list[Any] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> FakeOpenAI:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, data = outer.respond(body, self.headers.get("authorization"))
                if outer.drops:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                if outer.retry_after is not None and status != 200:
                    self.send_header("retry-after", outer.retry_after)
                with suppress(ConnectionError):  # whoever was told to stop does not wait for it
                    self.end_headers()
                    self.wfile.write(data)

        self._serving = serving(Handler, self.host)
        self.port = self._serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.__exit__(None, None, None)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    def respond(self, body: Any, authorization: str | None) -> tuple[int, bytes]:
        with self._lock:
            self.bodies.append(body)
            self.keys.append(authorization)
            status = self.always or (self.failing.pop(0) if self.failing else 200)
        self.asked.set()
        if self.barrier is not None:
            self.barrier.wait(timeout=30)
        if self.silent_until is not None:
            self.silent_until.wait(timeout=60)
        if status != 200:
            return status, json.dumps({"error": {"message": f"no, {authorization}", "type": "x"}}).encode()
        if self.reply is not None:
            return 200, self.reply
        choices = [
            {
                "index": n,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": self._text(body, authorization)},
            }
            for n in range(body.get("n") or 1)
        ]
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": choices}
        return 200, json.dumps({**answer, "usage": usage}).encode()

    def _text(self, body: Any, authorization: str | None) -> str:
        if self.repeats:
            return f"You sent {authorization}."
        if self.text is not None:
            return self.text
        return CAPITALS.get(body["messages"][-1]["content"].split("capital of ")[-1].split("?")[0], "Nowhere")


CAPITALS = {"France": "Paris", "Japan": "Tokyo", "Italy": "Rome", "Spain": "Madrid"}
