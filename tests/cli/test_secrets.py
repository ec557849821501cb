"""What must not be written down: secrets on the command line, in the environment, in URLs, in error texts."""

from __future__ import annotations

import sys

import pytest

from agentics.errors import EngineError
from agentics.sandbox.engine import Image
from tests.runner.lab import raises

SECRET = "hunter2-Zq8xW1"


@pytest.fixture
def secretive(lab, monkeypatch):
    """A process whose arguments and environment hold a secret, and whose engine says it in an error."""
    lab.bundle("one")
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    monkeypatch.setattr(sys, "argv", ["agentics", "eval", "one", "--api-key", SECRET, f"--password={SECRET}"])
    lab.engine.behaviours["run"] = raises(
        EngineError(f"could not reach https://user:{SECRET}@engine.example/", code="engine_lost")
    )
    return lab


def test_b9_a_secret_is_in_no_file_of_the_run_whatever_brought_it(secretive):
    image = f"https://me:{SECRET}@registry.example/x:1"
    secretive.engine.images[image] = Image(reference=image, id="sha256:1", digest=None, platform="linux/amd64")
    said = secretive.eval("one", "--image", f"agentics-linux-*={image}", "-v")
    assert said.status == 5
    assert SECRET not in said.out + said.err
    assert secretive.outcome()["tasks"]["one.linux-arm64-cpu"]["reason"] == "engine_lost"
    written = {path: content for path, content in secretive.files().items() if path.startswith("outputs/")}
    assert written
    assert [path for path, content in written.items() if SECRET.encode() in content] == []


def test_b9_what_is_no_secret_stays_readable(secretive):
    secretive.eval("one")
    invocation = secretive.outcome()["invocation"]
    assert invocation["argv"][:3] == ["agentics", "eval", "one"]
    assert invocation["cli_args"]["solutions"] == ["mine"]
    assert "--api-key" in invocation["argv"]


def test_b9_a_secret_in_an_error_is_not_told_either(secretive):
    secretive.engine.failures["reap"] = [EngineError(f"refused: token {SECRET}", code="engine_lost")]
    said = secretive.eval("one", "--json")
    assert said.status == 5
    assert SECRET not in said.out + said.err
