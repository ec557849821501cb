"""An image of ours that an evaluation needs and the engine lacks is made by the evaluation, once."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentics.errors import EngineError, Stopped
from agentics.pipeline.progress import silent
from agentics.runner.image_builds import ImageBuilds
from agentics.sandbox.image_building import BuildFolders
from agentics.sandbox.images import StoredImage, definitions
from tests.memory_store import MemoryStore
from tests.runner.lab import SPEC

BASE = definitions()["base"]
FAILURE = EngineError("apt-get ended with status 100", code="image_build_failed", hint="is the archive reachable?")


@pytest.fixture
def bare(lab, monkeypatch, tmp_path):
    """A lab whose engine has none of our images yet, and a bundle that needs images/base."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lab.engine.store = MemoryStore()
    lab.bundle("one")
    return lab


def told(said):
    return [line for line in said.err.splitlines() if "agentics-base" in line]


def test_an_image_that_is_missing_is_built_first_and_the_evaluation_goes_on(bare):
    said = bare.eval("one")
    assert bare.tasks() == [("passed", None, 1)]
    assert [name for name, _ in bare.engine.store.imports] == [BASE.reference]
    assert f"building image {BASE.reference} once: {BASE.cost}" in told(said)[0]
    assert "ready after" in told(said)[-1]
    assert {use["used"] for use in bare.read("r/trials/trial_1/evidence.json")["images"].values()} == {"agentics-base"}


def test_an_image_that_is_there_is_not_built_again(bare):
    bare.eval("one")
    assert told(bare.eval("one", run_id="again")) == []
    assert len(bare.engine.store.jobs) == 1


def test_an_image_of_an_older_definition_is_built_again(bare):
    key, _ = BASE.label
    bare.engine.store.images[BASE.alias] = StoredImage(id="sha256:1", size_bytes=0, labels={key: "sha256:old"})
    bare.eval("one")
    assert len(bare.engine.store.jobs) == 1


def test_an_image_that_somebody_else_made_under_our_name_is_used_as_it_is(bare):
    bare.engine.store.images[BASE.alias] = StoredImage(id="sha256:1", size_bytes=0, labels={})
    bare.eval("one")
    assert bare.engine.store.jobs == []
    assert bare.tasks() == [("passed", None, 1)]


def test_an_image_that_the_operator_maps_to_is_left_to_the_operator(bare):
    bare.eval("one", "--image", "agentics-linux-*=mine:v2")
    assert bare.engine.store.jobs == []
    assert bare.tasks() == [("passed", None, 1)]


def test_a_bundle_of_the_public_platform_gets_the_large_image_and_a_shipped_one_the_small(bare):
    platform = "ghcr.io/agentic-science/agentics-linux-arm64-cpu:ubuntu26.04-v3"
    profile = SPEC["targets"][0]["resource_profile"]
    image = {"source": "registry", "reference": platform}
    theirs = {**SPEC["targets"][0], "resource_profile": {**profile, "solution_image": image, "evaluator_image": image}}
    bare.bundle("two", targets=[theirs])
    cpu = definitions()["cpu"]
    bare.engine.store.images[cpu.alias] = StoredImage(id="sha256:2", size_bytes=0, labels=dict([cpu.label]))
    bare.eval("one", "two")
    used = {bare.read(f"r/trials/trial_{n}/evidence.json")["images"]["solution"]["used"] for n in (1, 2)}
    assert used == {"agentics-base", "agentics-cpu"}


def test_a_build_that_fails_is_an_infrastructure_fault_with_its_reason_and_is_tried_once(bare):
    bare.bundle("two")
    bare.engine.store.failure = FAILURE
    said = bare.eval("one", "two", "--exit-policy", "strict")
    assert said.status == 5
    assert bare.tasks() == [("error", "image_build_failed", 1)] * 2
    assert {task["fault"] for task in bare.outcome()["tasks"].values()} == {"infrastructure"}
    assert len(bare.engine.store.jobs) == 1
    assert "apt-get ended with status 100" in said.err + said.out


def test_a_disk_that_cannot_be_written_is_an_infrastructure_fault_too(bare, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "agentics").mkdir()
    (tmp_path / "cache" / "agentics" / "images").write_text("a file where a folder should be")
    assert bare.eval("one", "--exit-policy", "strict").status == 5
    assert bare.tasks() == [("error", "image_build_failed", 1)]


def test_after_a_build_that_failed_the_same_command_tries_again(bare):
    bare.engine.store.failure = FAILURE
    bare.eval("one")
    bare.engine.store.failure = None
    bare.eval("one")
    assert bare.tasks() == [("passed", None, 2)]


def test_a_task_that_is_complete_needs_no_image_and_builds_none(bare):
    bare.eval("one")
    bare.engine.store.images.clear()
    bare.eval("one")
    assert len(bare.engine.store.jobs) == 1
    assert bare.tasks() == [("passed", None, 1)]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_build_and_leaves_the_tasks_pending(bare, number, status):
    store = bare.engine.store
    store.goes_on.clear()

    def interrupt():
        assert store.begun.wait(30)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert bare.eval("one").status == status
    thread.join()
    assert bare.tasks() == [("pending", "not_started", 0)]
    assert store.images == {}
    store.goes_on.set()
    assert bare.eval("one").status == 0
    assert bare.tasks() == [("passed", None, 1)]


def test_of_two_evaluations_at_once_one_builds_and_the_other_waits_and_says_so(bare, tmp_path):
    store, waiting = bare.engine.store, threading.Event()
    store.goes_on.clear()
    heard = []

    def observer(event):
        heard.append(event.facts.get("text"))
        if "waiting for another process" in str(event.facts.get("text")):
            waiting.set()

    (tmp_path / "build").mkdir()
    folders = BuildFolders(scratch=tmp_path / "build", locks=tmp_path / "locks")

    def builds(observer):
        return ImageBuilds(store=lambda: store, folders=lambda: folders, interrupt=threading.Event(), observer=observer)

    with ThreadPoolExecutor(max_workers=2) as pool:
        first = pool.submit(builds(silent).ensure, (BASE.alias,))
        assert store.begun.wait(30)
        second = pool.submit(builds(observer).ensure, (BASE.alias,))
        said_so = waiting.wait(30)
        store.goes_on.set()
        assert said_so
        assert first.result() is second.result() is None
    assert len(store.jobs) == 1
    assert any(BASE.reference in str(text) for text in heard)


def test_who_waits_for_a_build_of_another_process_can_be_stopped(bare, tmp_path):
    store, stop, waiting = bare.engine.store, threading.Event(), threading.Event()
    store.goes_on.clear()
    folders = BuildFolders(scratch=tmp_path, locks=tmp_path / "locks")

    def builds(interrupt, observer):
        return ImageBuilds(store=lambda: store, folders=lambda: folders, interrupt=interrupt, observer=observer)

    def observer(event):
        if "waiting" in str(event.facts.get("text")):
            stop.set()
            waiting.set()

    with ThreadPoolExecutor(max_workers=1) as pool:
        first = pool.submit(builds(threading.Event(), silent).ensure, (BASE.alias,))
        assert store.begun.wait(30)
        try:
            with pytest.raises(Stopped):
                builds(stop, observer).ensure((BASE.alias,))
        finally:
            store.goes_on.set()
        assert waiting.is_set()
        first.result()
    assert len(store.jobs) == 1


def test_a_replay_builds_what_it_needs(bare):
    bare.eval("one")
    bare.engine.store.images.clear()
    assert bare("run", "replay", "outputs/r", "--trial-id", "trial_1").status == 0
    assert len(bare.engine.store.jobs) == 2
