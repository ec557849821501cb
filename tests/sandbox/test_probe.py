"""Whether an engine is what it says, and the examination of a machine."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agentics.errors import EngineError
from agentics.sandbox.docker import isolation
from agentics.sandbox.docker.engine import connect
from agentics.sandbox.engine import EngineFacts
from agentics.sandbox.places import Scratch
from agentics.sandbox.probe import checks
from agentics.sandbox.settings import EngineSettings
from tests.memory_store import MemoryStore, everything_built

FACTS = EngineFacts(
    name="docker",
    version="20.10.24",
    api_version="1.41",
    host_platform="linux/amd64",
    cgroup_version="2",
    cgroup_driver="systemd",
    rootless=False,
    seccomp=True,
    cpus=2,
    memory_bytes=8 << 30,
    kernel="6.1",
    shares_files=True,
    shares_pipes=True,
    measures_usage=True,
)


GOOD = isolation.NamespaceSharing(files=True, pipes=True, usage=True, seccomp=True, own_kernel=False, memory_limit=True)


class Machine:
    """An engine to be examined, as good or as bad as a test wants it."""

    def __init__(self, *, facts=FACTS, store=None, skew=0.0, left=0, sharing=None, error=None):
        self._facts, self._skew, self._left, self._error = facts, skew, left, error
        self._store = store or everything_built()
        self._sharing = sharing or GOOD

    def facts(self):
        return self._facts

    def image_store(self):
        return self._store

    def probe(self, image, runtime=None):
        if self._error is not None:
            raise self._error
        return self._sharing

    def clock_skew_s(self):
        return self._skew

    def leftovers(self):
        return self._left

    def data_root(self):
        return None


@pytest.fixture
def examined(tmp_path):
    """The checks that failed, by name."""

    def through(runtimes=(), **machine):
        with Scratch(tmp_path) as scratch:
            found = checks(Machine(**machine), scratch, tmp_path, runtimes)
        return {one.name: one for one in found if not one.ok and one.name not in ("bounded places", "disk for scratch")}

    return through


def test_a_good_machine_passes_everything(examined):
    assert examined() == {}


@pytest.mark.parametrize(
    ("machine", "name", "severity"),
    [
        ({"facts": replace(FACTS, version="19.03.1")}, "engine version", "error"),
        ({"facts": replace(FACTS, seccomp=False)}, "system call filter", "error"),
        ({"facts": replace(FACTS, measures_usage=False)}, "control groups", "warning"),
        ({"facts": replace(FACTS, cgroup_namespaces=False)}, "cgroup namespace", "warning"),
        ({"store": MemoryStore()}, "image base", "warning"),
        ({"store": MemoryStore()}, "isolation", "warning"),
        ({"skew": -30.0}, "clock", "warning"),
        ({"left": 3}, "leftovers", "warning"),
        ({"error": EngineError("it has eth0", code="not_isolated")}, "not_isolated", "error"),
        ({"sharing": replace(GOOD, memory_limit=False)}, "memory limit", "error"),
        ({"runtimes": ("runsc",)}, "runtime runsc", "error"),
        ({"sharing": replace(GOOD, pipes=False)}, "pipes", "warning"),
        ({"sharing": replace(GOOD, seccomp=False)}, "filter in force", "error"),
    ],
)
def test_each_fault_is_one_line_with_a_fix(examined, machine, name, severity):
    failed = examined(**machine)
    assert failed[name].severity == severity
    assert failed[name].fix


def test_an_image_that_is_built_when_it_is_needed_is_no_fault(examined):
    assert {"image cpu", "image lighteval"}.isdisjoint(examined(store=MemoryStore()))


def test_what_a_dead_process_left_in_scratch_is_told(tmp_path, examined):
    (tmp_path / "0123456789abcdef").mkdir()
    (tmp_path / "0123456789abcdef.lock").touch()
    assert "1 scratch" in examined()["leftovers"].detail


@pytest.mark.docker
def test_this_engine_isolates_and_shares(engine, cpu_image):
    found = engine.probe(cpu_image)
    assert found == replace(GOOD, usage=engine.facts().measures_usage)


@pytest.mark.docker
def test_the_outcome_is_remembered_and_a_damaged_memory_is_not_believed(scratch, cpu_image, tmp_path):
    settings = EngineSettings(cache=tmp_path / "cache")
    file = tmp_path / "cache/engines.json"
    with connect(scratch=scratch.plain(), settings=settings) as first:
        found = first.probe(cpu_image)
    (key,) = json.loads(file.read_text())
    for damaged in ("{", "[]", json.dumps({key: {"files": True}}), json.dumps({key: 1})):
        file.write_text(damaged)
        with connect(scratch=scratch.plain(), settings=settings) as second:
            assert second.probe(cpu_image) == found
    with connect(scratch=scratch.plain(), settings=settings) as third:
        assert third.probe("no image is needed any more") == found


@pytest.mark.docker
def test_a_container_that_has_a_network_is_refused(engine):
    said = {"network": ["net:[1]"], "interface": ["lo", "eth0"]}
    with pytest.raises(EngineError) as caught:
        isolation._require_isolation(said, same_kernel=True)
    assert (caught.value.code, caught.value.retryable) == ("not_isolated", False)


@pytest.mark.docker
def test_an_engine_that_does_not_see_our_files_is_told_apart(engine, cpu_image, scratch, monkeypatch):
    with connect(scratch=scratch.plain()) as other:
        found = replace(GOOD, files=False)
        monkeypatch.setattr("agentics.sandbox.docker.runtimes.find_out", lambda *_a, **_k: found)
        with pytest.raises(EngineError) as caught:
            other.probe(cpu_image)
    assert caught.value.code == "files_not_shared"
    assert caught.value.hint
