"""A server that speaks as much of the Hugging Face Hub's API as its packages use to fetch a model or a data set."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.lighteval.http_server import serving

COMMIT, OLDER = "c0ffee" + "0" * 34, "0ddba11" + "0" * 33
_REVISIONS = {"main": COMMIT, "v1": OLDER}
_FILE = re.compile(r"/(?P<kind>datasets/)?(?P<repo>[\w.-]+/[\w.-]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
_API = re.compile(r"/api/(?P<kind>models|datasets)/(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<rest>.+))?")


@dataclass
class FakeHub:
    """Every repository has a branch `main` and a branch `v1`, of the same files at another commit.

    `models` and `datasets`: folders by repository. `gated`: repositories that are refused without `token`. `status`: of
    every answer, where it is set. `asked`: method and path of every request.
    """

    models: dict[str, Path] = field(default_factory=dict)
    datasets: dict[str, Path] = field(default_factory=dict)
    gated: frozenset[str] = frozenset()
    token: str | None = None
    host: str = "127.0.0.1"
    status: int | None = None
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> FakeHub:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._say(*outer.respond(self, body=False))

            def do_GET(self) -> None:
                self._say(*outer.respond(self, body=True))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self._say(*outer.respond(self, body=True))

            def _say(self, status: int, headers: dict[str, str], data: bytes) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

        self._serving = serving(Handler, self.host)
        self._port = self._serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Refuse connections from now on."""
        self._serving.__exit__(None, None, None)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self._port}"

    def respond(self, request: BaseHTTPRequestHandler, *, body: bool) -> tuple[int, dict[str, str], bytes]:
        path = request.path.partition("?")[0]
        self.asked.append(f"{request.command} {path}")
        if self.status is not None:
            return self.status, {}, b""
        found = _API.fullmatch(path) or _FILE.fullmatch(path)
        if found is None:
            return _error(404, "EntryNotFound")
        kind, repo = (found["kind"] or "models").rstrip("/"), found["repo"]
        root = (self.datasets if kind == "datasets" else self.models).get(repo)
        if root is None:
            return _error(404, "RepoNotFound")
        if repo in self.gated and request.headers.get("authorization") != f"Bearer {self.token}":
            return _error(403, "GatedRepo")
        if found.re is _API:
            return self._about(root, kind, repo, found["rest"] or "")
        return _file(root, found["revision"], found["file"], body=body)

    def _about(self, root: Path, kind: str, repo: str, rest: str) -> tuple[int, dict[str, str], bytes]:
        files = sorted(path for path in root.rglob("*") if path.is_file())
        names = [path.relative_to(root).as_posix() for path in files]
        if rest.startswith(("tree/", "paths-info/")):
            entries = [
                {"type": "file", "path": name, "size": path.stat().st_size, "oid": _etag(path)}
                for name, path in zip(names, files, strict=True)
            ]
            return _json(entries)
        commit = _commit(rest.partition("/")[2] if rest.startswith("revision/") else "main")
        if commit is None:
            return _error(404, "RevisionNotFound")
        siblings = [{"rfilename": name} for name in names]
        about = {"id": repo, "sha": commit, "private": False, "gated": False, "tags": [], "siblings": siblings}
        return _json({**about, **({"modelId": repo} if kind == "models" else {})})


def _file(root: Path, revision: str, name: str, *, body: bool) -> tuple[int, dict[str, str], bytes]:
    commit = _commit(revision)
    if commit is None:
        return _error(404, "RevisionNotFound")
    path = root / name
    if not path.is_file():
        status, headers, data = _error(404, "EntryNotFound")
        return status, {**headers, "X-Repo-Commit": commit}, data
    headers = {"X-Repo-Commit": commit, "ETag": f'"{_etag(path)}"', "Content-Length": str(path.stat().st_size)}
    return 200, headers, path.read_bytes() if body else b""


def _commit(revision: str) -> str | None:
    return revision if revision in _REVISIONS.values() else _REVISIONS.get(revision)


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def _json(value: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _error(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"X-Error-Code": code, "X-Error-Message": code}, b""
