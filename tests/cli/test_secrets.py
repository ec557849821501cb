"""What must not be written down: secrets on the command line, in the environment, in URLs, in error texts."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest

from agentics import pipeline
from agentics.errors import EngineError
from agentics.model.plan.pipeline import experiment
from agentics.pipeline.contract.registry import Registry
from agentics.pipeline.contract.stage import StageFailure
from agentics.pipeline.run_store import DirectoryStore
from agentics.sandbox.engine import Image
from tests.runner.lab import raises

SECRET = "hunter2-Zq8xW1"
OTHER = "correct-horse-Battery9"


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


TELLING = (
    f"GET https://me:{OTHER}@example.org/x?token={OTHER} failed\n"
    f"Authorization: Bearer {OTHER}\npassword='{OTHER}', api_key={OTHER}"
)
"""What an exception of a library says. Nobody knows the secret in it but by its place."""


def untold(lab, said):
    """The secret is neither on a stream nor in a file."""
    assert OTHER not in said.out + said.err
    assert [path for path, content in lab.files().items() if OTHER.encode() in content] == []


@pytest.mark.parametrize(
    "error",
    [EngineError(TELLING, code="engine_lost"), OSError(5, TELLING), ValueError(TELLING)],
    ids=["engine", "host", "bug"],
)
@pytest.mark.parametrize("words", [(), ("--json",), ("--json-stream",), ("-v",)])
@pytest.mark.parametrize("where", ["run", "separated-evaluator"])
def test_b9_what_an_exception_in_a_stage_says_is_told_and_kept_without_secrets(lab, error, words, where):
    lab.bundle("one")
    lab.engine.behaviours[where] = raises(error)
    said = lab.eval("one", *words)
    assert said.status == 5
    assert any(b"example.org" in content for path, content in lab.files().items() if path.startswith("outputs/"))
    untold(lab, said)
    for shown in (("show",), ("show", "--json"), ("show", "--public"), ("case", "case-1"), ("compare",), ("verify",)):
        untold(lab, lab("run", shown[0], "outputs/r", *shown[1:]))


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_b9_what_an_exception_before_the_first_stage_says_is_told_and_kept_without_secrets(lab, words):
    lab.bundle("one")
    lab.engine.failures["reap"] = [EngineError(TELLING, code="engine_lost")]
    said = lab.eval("one", *words)
    assert said.status == 5
    untold(lab, said)


@pytest.mark.parametrize("words", [(), ("--json",), ("--json-stream",)])
def test_b9_the_traceback_of_a_bug_is_shown_without_secrets(lab, monkeypatch, words):
    def bug(*_, **__):
        raise ZeroDivisionError(TELLING)

    lab.bundle("one")
    monkeypatch.setattr("agentics.cli.evaluate.compile_request", bug)
    said = lab.eval("one", *words)
    assert said.status == 1
    assert "Traceback (most recent call last)" in said.err
    assert "ZeroDivisionError: GET https://***@example.org/x" in said.err
    untold(lab, said)


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("show", "broken"), ("show", "broken", "--json")])
def test_b9_what_a_package_of_stages_says_when_it_breaks_is_shown_without_secrets(lab, monkeypatch, words):
    class Broken(EntryPoint):
        def load(self):
            raise RuntimeError(TELLING)

    found = Registry({}, lambda: [Broken("broken", "package:broken", "agentics.stages")])
    monkeypatch.setattr("agentics.cli.stages.registry", lambda: found)
    said = lab("stages", *words)
    assert "RuntimeError" in said.out + said.err
    untold(lab, said)


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_b9_what_the_doctor_says_of_an_engine_is_shown_without_secrets(lab, monkeypatch, words):
    monkeypatch.setattr("agentics.usecases.doctor.open_engine", lambda *_: raises(EngineError(TELLING))(None))
    said = lab("doctor", *words)
    assert "example.org" in said.out
    untold(lab, said)


def test_b9_a_pipeline_is_kept_without_the_secrets_of_its_exceptions(tmp_path):
    def run(*_):
        raise ValueError(TELLING)

    said = {"name": "one", "description": "d", "required": [], "optional": [], "types": {}}
    stage = SimpleNamespace(run=run, describe=lambda _: said)
    failed = pipeline.run(
        experiment("e", "b", "one"),
        registry=Registry.of(stage),
        store=DirectoryStore(tmp_path),
        enable_trace=True,
        run_id="r",
    )
    assert isinstance(failed, StageFailure)
    assert "ValueError: GET https://***@example.org" in failed.trouble.message
    assert OTHER not in f"{failed.trouble} {failed.traceback}"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and OTHER.encode() in path.read_bytes()] == []
