"""Paths that cannot be used, at every place where a command or a file names one: refused, with what they are for."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from enum import Enum
from inspect import isclass
from pathlib import Path
from typing import get_args

import pytest

from agentics import config as configuration
from agentics.cli.arguments import NamedPathReader
from tests.cli.walking import NAME_WORDS, PATH_WORDS, WORDS, as_json, call, shown

NOBODY = 65534


def refused(said, role):
    """The message of the one envelope of a command that refused a path and did nothing else."""
    assert said.status == 2, said
    assert said.err == ""
    error = said.json["error"]
    assert error["code"] == "bad_path", error
    assert role in error["message"], error
    return error["message"]


def role(word):
    return word.said.parser.role if hasattr(word.said.parser, "role") else word.said.parser.option


def test_every_text_and_every_path_of_every_command_has_a_reader_that_checks_it():
    def is_checked_by_its_type(kind):
        kinds = [each for each in (get_args(kind) or (kind,)) if each is not type(None)]
        return all(isclass(each) and (each in (bool, int, float) or issubclass(each, Enum)) for each in kinds)

    without = [shown(word) for word in WORDS if not is_checked_by_its_type(word.kind) and word.said.parser is None]
    assert without == []
    assert len(PATH_WORDS) > 30


@pytest.fixture
def places(lab):
    """Texts that are no paths that can be used, each with what is said of them."""
    (lab.home / "file").write_text("x")
    (lab.home / "loop").symlink_to("loop")
    return {
        "": "is empty",
        "a\0b": "NUL",
        "a\udcffb": "not UTF-8",
        "\ud800b": "not UTF-8",
        "x" * 256: "longer than 255 bytes",
        "ä" * 128: "longer than 255 bytes",
        "d/" + "x" * 300 + "/e": "longer than 255 bytes",
        "x/" * 2049: "longer than 4096 bytes",
        "x/" * 2047: "longer than 4096 bytes",
        "file/x": "no directory",
        "loop": "circle",
        "loop/x": "circle",
    }


@pytest.mark.parametrize("word", PATH_WORDS, ids=shown)
def test_c5_a_path_that_cannot_be_used_is_refused_with_what_it_is_for(lab, places, word):
    before = sorted(lab.home.rglob("*"))
    for value, why in places.items():
        assert why in refused(lab(*as_json(call(word, value))), role(word))
    assert lab.engine.calls == []
    assert sorted(lab.home.rglob("*")) == before


@pytest.mark.parametrize("word", [w for w in PATH_WORDS if isinstance(w.said.parser, NamedPathReader)], ids=shown)
def test_c5_a_path_behind_a_name_is_looked_at_too(lab, places, word):
    for value, why in places.items():
        assert why in refused(lab(*as_json(call(word, f"name={value}"))), role(word))


@pytest.mark.parametrize("word", NAME_WORDS, ids=shown)
def test_an_empty_name_is_refused_and_does_not_mean_everything(lab, word):
    before = sorted(lab.home.rglob("*"))
    for value in ("", " ", "\t\n", "a\0b", "a\udcffb"):
        said = lab(*as_json(call(word, value)))
        assert (said.status, said.json["error"]["code"]) == (2, "bad_text"), said
        assert word.said.parser.option in said.json["error"]["message"]
    assert sorted(lab.home.rglob("*")) == before


@contextlib.contextmanager
def as_nobody(*paths):
    """The rest of the test as a user who may do little, in a folder that everybody may enter."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else for a while")
    home = Path(tempfile.mkdtemp())
    home.chmod(0o777)
    before = Path.cwd()
    configuration.load()  # imports what only root may read here
    os.chdir(home)
    try:
        for path in paths:
            (home / path).mkdir(parents=True)
            (home / path).chmod(0o700)
        os.seteuid(NOBODY)
        yield home
    finally:
        os.seteuid(0)
        os.chdir(before)
        shutil.rmtree(home)


@pytest.mark.parametrize("word", PATH_WORDS, ids=shown)
def test_c5_a_path_that_one_may_not_use_is_refused_with_what_it_is_for(lab, monkeypatch, word):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with as_nobody("closed") as home:
        monkeypatch.setenv("HOME", str(home))
        (uses, closed) = getattr(word.said.parser, "use", "file"), ["closed/inside"]
        closed += ["closed"] if uses in ("read", "folder") else []
        for value in closed:
            assert "permission denied" in refused(lab(*as_json(call(word, value))), role(word))


CONFIGURED = {
    "sandbox.scratch": "[sandbox]\nscratch = {0}",
    "network.ca_bundle": "[network]\nca_bundle = {0}",
    "lighteval.data": "[lighteval]\ndata = {0}",
    "lighteval.worker": "[lighteval]\nworker = {0}",
    "lighteval.plugins": "[lighteval]\nplugins = [{0}]",
    "lighteval.suites": "[lighteval]\nsuites = ['fine', {0}]",
    "lighteval.templates": "[lighteval]\ntemplates = [{0}]",
}


@pytest.mark.parametrize("key", CONFIGURED)
def test_c5_a_path_in_the_configuration_is_refused_with_its_key(lab, places, key):
    lab.bundle("one")
    for value, why in places.items():
        if value and value.isascii():
            (lab.home / "agentics.toml").write_text(CONFIGURED[key].format(json.dumps(value)))
            for words in (["plan", "one", "--solution", "mine"], ["eval", "one", "--solution", "mine"], ["doctor"]):
                assert why in refused(lab(*words, "--json"), f"agentics.toml: {key}")


@pytest.mark.parametrize("variable", ["AGENTICS_CONFIG", "XDG_CONFIG_HOME", "HOME"])
def test_c5_a_path_in_the_environment_is_refused_with_its_variable(lab, places, monkeypatch, variable):
    lab.bundle("one")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for value, why in places.items():
        if value and "\0" not in value and "\ud800b" not in value:
            monkeypatch.setenv(variable, str(lab.home / value))
            assert why in refused(lab("plan", "one", "--solution", "mine", "--json"), variable)


PLAIN = {"name": "n", "tasks": [{"bundle": "one"}], "variants": [{"solution": "mine"}]}
WRITTEN = {
    "/tasks/0/bundle": lambda path: {**PLAIN, "tasks": [{"bundle": path}]},
    "/tasks/0/overlays/1": lambda path: {
        **PLAIN,
        "mode": "official",
        "tasks": [{"bundle": "one", "overlays": ["fine", path]}],
    },
    "/variants/0/solution": lambda path: {**PLAIN, "variants": [{"solution": path}]},
    "/jobspecs/0": lambda path: {**PLAIN, "jobspecs": [path]},
    "/benchmark/adapter/command/1": lambda path: {
        **PLAIN,
        "benchmark": {"adapter": {"command": ["python3", f"./{path}"]}},
    },
}


@pytest.mark.parametrize("pointer", WRITTEN)
@pytest.mark.parametrize("command", ["run", "plan", "preflight"])
def test_c5_a_path_in_an_experiment_file_is_refused_with_its_place(lab, places, pointer, command):
    lab.bundle("one")
    for value, why in places.items():
        if value and "\udcff" not in value and "\ud800b" not in value:
            (lab.home / "e.json").write_text(json.dumps(WRITTEN[pointer](value)))
            assert why in refused(lab("experiment", command, "e.json", "--json"), f"e.json: {pointer}")
    assert not (lab.home / "outputs").exists()


@pytest.mark.parametrize("key", ["bundles", "solutions", "overlays", "output_path"])
def test_c5_a_path_in_a_file_of_options_is_refused_with_its_key(lab, places, key):
    lab.bundle("one")
    for value, why in places.items():
        if value.isascii():
            text = json.dumps(value)
            (lab.home / "c.toml").write_text(f"{key} = {text if key == 'output_path' else f'[{text}]'}")
            assert why in refused(lab("eval", "one", "--solution", "mine", "--config", "c.toml", "--json"), key)


def test_c5_a_working_directory_that_was_removed_is_an_error_of_its_own(lab, monkeypatch):
    gone = lab.home / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "removed" in refused(lab("plan", "one", "--solution", "mine", "--json"), "working directory")
    monkeypatch.chdir(lab.home)


@pytest.mark.parametrize("tasks", [[""], [","], [" "], ["one,"], ["one,,two"], [" , "], []])
@pytest.mark.parametrize("how", ["words", "=", "file"])
def test_a_list_of_tasks_from_which_names_were_lost_is_refused_and_does_not_mean_everything(lab, how, tasks):
    lab.bundle("one")
    (lab.home / "c.toml").write_text(f"tasks = {json.dumps(tasks)}")
    given = {"words": ["--tasks", *tasks], "=": [f"--tasks={''.join(tasks)}"], "file": ["--config", "c.toml"]}[how]
    said = lab("eval", "one", "--solution", "mine", *given, "--json")
    assert (said.status, said.json["ok"]) == (2, False), said
    assert not (lab.home / "outputs").exists()


@pytest.mark.parametrize(
    "word", [w for w in PATH_WORDS if getattr(w.said.parser, "use", "read") != "folder"], ids=shown
)
def test_c5_a_device_that_never_ends_is_refused(lab, word):
    if getattr(word.said.parser, "use", "") != "write":
        assert "a device" in refused(lab(*as_json(call(word, "/dev/zero"))), role(word))


def test_c5_schemas_that_cannot_be_written_are_a_failure_and_no_bug_of_ours(lab, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agentics.schemas.Path.mkdir", full)
    said = lab("schema", "export", "s", "--json")
    assert (said.status, said.json["error"]["code"]) == (5, "storage_error")


def test_json_that_is_nested_too_deeply_is_no_bug_of_ours(lab):
    deep = "[" * 100_000
    (lab.home / "deep.json").write_text(deep + "]" * 100_000)
    said = lab("schema", "validate", "deep.json", "--json")
    assert (said.status, said.json["error"]["code"]) == (1, "invalid_document")
    said = lab("run", "fork", "absent", "--from-trial", "t", f"--set=a={deep}", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "no_such_run")
