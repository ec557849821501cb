"""Containers under a runtime that was named: what is found out of it first, and that all else stays as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentics.errors import EngineError
from agentics.sandbox.docker import runtimes
from agentics.sandbox.docker.engine import connect
from tests.sandbox.test_probe import GOOD

pytestmark = pytest.mark.docker


def test_evidence_has_the_name_of_what_ran_a_container_whether_it_was_named_or_not(engine, container):
    for asked in (None, "runc"):
        ended = engine.start(container("true", "x", runtime=asked)).wait()
        assert (ended.runtime, ended.kernel, ended.user) == ("runc", "shared", "65532:65532")


def test_a_named_runtime_that_keeps_no_limits_is_not_used(scratch, container, monkeypatch):
    monkeypatch.setattr(runtimes, "find_out", lambda *_: replace(GOOD, memory_limit=False))
    with connect(scratch=scratch.plain()) as other, pytest.raises(EngineError) as caught:
        other.start(container("true", "x", runtime="runc"))
    assert (caught.value.code, caught.value.retryable) == ("limits_not_kept", False)


def test_a_container_that_declares_network_is_not_run_without(scratch, container, monkeypatch):
    monkeypatch.setattr(runtimes, "has_network", lambda *_: False)
    with connect(scratch=scratch.plain()) as other:
        with pytest.raises(EngineError) as caught:
            other.start(container("true", "x", runtime="runc", network=True))
        assert caught.value.code == "runtime_without_network"
        assert other.start(container("true", "x", runtime="runc")).wait().exit_code == 0


def test_a_runtime_with_a_network_gives_it(engine, container):
    ended = engine.start(container("cat /proc/net/dev", runtime="runc", network=True)).wait()
    assert b"eth0" in ended.log
