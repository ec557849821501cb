"""Stores of every kind: folders, memory, an S3 server on this machine, and one that fails as a test says."""

from __future__ import annotations

import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from agentics.config import Storage
from agentics.storage import Retries, Store, open_store

SETTINGS = Storage(schemes=("file", "memory", "s3", "gs", "abfs", "simplecache", "frail"))
QUICK = Retries(attempts=3, wait_s=0.0)
FILES = {
    "details/acme/x/details_a%7C0.parquet": b"\x00\x01rows",
    "jobspec.json": b"{}\n",
    "metadata.json": b'{"files": []}\n',
    "results/acme/x/results_1.json": b'{"results": {}}\n',
}
LAST = "results/acme/x/results_1.json"


def opened(url, base=Path("/"), settings=SETTINGS) -> Store:
    return open_store(str(url), settings, base=base, retries=QUICK)


def tree(store: Store) -> dict[str, bytes]:
    return {path: store.get(path) for path in store.paths()}


@pytest.fixture
def memory():
    def clear():
        kept = fsspec.filesystem("memory")
        kept.store.clear()
        kept.pseudo_dirs[:] = [""]

    clear()
    yield "memory://somewhere"
    clear()


class Frail(fsspec.get_filesystem_class("file")):
    """A file system with folders that is not taken for one of this machine. `failing`: which of the writes to come
    fail, by their number from 1, and with what."""

    protocol = "frail"
    failing: dict[int, Exception] = {}  # noqa: RUF012 - one for all instances, as fsspec caches them
    writes = 0

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("frail://host"))

    def pipe_file(self, path, value, **kwargs):
        Frail.writes += 1
        if error := self.failing.get(Frail.writes):
            raise error
        super().pipe_file(path, value, **kwargs)


@pytest.fixture
def frail(tmp_path):
    """The URL of an empty store, and its class to say what fails."""
    fsspec.register_implementation("frail", Frail, clobber=True)
    Frail.failing, Frail.writes = {}, 0
    return f"frail://host{tmp_path}/frail", Frail


@pytest.fixture
def credentials(monkeypatch):
    """An S3 client that asks whatever server a test names, once, and reads nobody's own configuration."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "hunter2-of-the-environment",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def s3_server():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the server's own, while it is imported
        from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server, credentials, monkeypatch):
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield "s3://bucket/some/prefix"
    for found in client.list_objects_v2(Bucket="bucket").get("Contents", []):
        client.delete_object(Bucket="bucket", Key=found["Key"])
    client.delete_bucket(Bucket="bucket")
    client.close()


@pytest.fixture
def answering(credentials, monkeypatch):
    """An S3 endpoint that answers every request with the next status of a list, the last one for ever. The list of
    what it was asked."""
    running = []

    def start(*answers: tuple[int, str]) -> list[str]:
        asked: list[str] = []

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # clients wait for `100 Continue`

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, code = answers[min(len(asked), len(answers) - 1)]
                asked.append(self.command)
                body = f"<Error><Code>{code}</Code><Message>no to {self.headers['Authorization']}</Message></Error>"
                data = body.encode() if code and self.command != "HEAD" else b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(data)

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self.answer
                raise AttributeError(name)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        return asked

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()
