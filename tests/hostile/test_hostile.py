"""Hostile programs, each with its expected end; afterwards nothing of them is left, and nobody else noticed."""

from __future__ import annotations

import getpass
import platform
import re

import pytest

from tests.hostile import lies, runs

GROUPS = ("separated", "tight", "files", "piped", "coexecuted")
CASES = runs.cases()


def test_every_case_belongs_to_a_bundle_and_says_what_it_is():
    assert {case.group for case in CASES} == set(GROUPS)
    assert all(case.title[:1] in "ABCDEF" and ": " in case.title for case in CASES)
    assert {case.phase for case in CASES} == {"run", "build"}


@pytest.mark.docker
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}-{case.name}")
def test_a_hostile_program_ends_as_its_header_says(case, seen):
    ran = seen(case.group)
    task = ran.task(case.name)
    said = b"\n".join(ran.participant_bytes(case.name).values())
    where = said.find(b"NOT CONTAINED")
    assert where < 0, said[where : where + 2000].decode(errors="replace")
    assert (task.status, task.reason, task.fault) == case.ends, said[:2000].decode(errors="replace")
    if case.ends[0] == "passed":
        assert task.primary_metric.value == 1
    assert ran.left[case.name] == []
    assert b"cnry" not in said, said[said.index(b"cnry") - 300 :][:600].decode(errors="replace")


@pytest.mark.docker
@pytest.mark.parametrize("case", [case for case in CASES if case.wears], ids=lambda case: f"{case.group}-{case.name}")
def test_the_next_honest_solution_scores_as_before(case, seen):
    ran = seen(case.group)
    before, after = ran.task(runs.HONEST), ran.task(f"{runs.HONEST}-after-{case.name}")
    assert (after.status, after.reason, after.primary_metric) == (before.status, before.reason, before.primary_metric)
    assert (before.status, before.primary_metric.value) == ("passed", 1)


@pytest.mark.docker
@pytest.mark.parametrize("group", [*GROUPS, "lies"])
def test_nothing_is_left_of_them(group, seen):
    ran = seen(group)
    assert ran.containers == 0
    assert ran.mounts == []
    assert ran.scratch == []
    assert ran.descriptors[1] <= ran.descriptors[0]
    assert ran.threads[1] <= ran.threads[0]


@pytest.mark.docker
def test_what_a_program_sees_names_nobody(seen):
    ran = seen("separated")
    everything = b"\n".join(ran.participant_bytes("a01_walks_everything").values()).decode(errors="replace")
    said = "".join(part for part in everything.split("\n== ") if part.startswith(("/proc/", "/etc/host")))
    assert re.search(r"/proc/\d+/mountinfo\n\d+ ", said)
    names = ["hostile-separated", "a01_walks_everything", "operator-of", "pytest", platform.node()]
    names += [getpass.getuser()] if getpass.getuser() != "root" else []
    assert [name for name in names if re.search(rf"\b{re.escape(name)}\b", said)] == []


@pytest.mark.docker
@pytest.mark.parametrize(("word", "reason"), lies.ENDS.items())
def test_what_an_evaluator_must_not_write_is_the_challenges_fault_and_no_score(word, reason, seen):
    ran = seen("lies")
    task, result = ran.task(word), ran.trial(word).result
    if reason is None:
        assert (task.status, task.fault, task.primary_metric.value) == ("passed", None, lies.FINE)
        return
    assert (task.status, task.reason, task.fault) == ("error", reason, "challenge")
    assert task.primary_metric is None
    assert (result.metrics, result.objective) == ({}, None)
    assert task.attempts == 1


@pytest.mark.docker
def test_what_the_programs_look_for_is_found_where_it_is(spared):
    """The control: the same programs find something as soon as there is something to be found."""
    found = {
        "a01_walks_everything": b"planted.txt holds b'cnryplanted",
        "d44_calls_that_are_denied": b"io_uring_setup: ",
    }
    ran = spared(*found, planted={"planted.txt": "cnryplanted"})
    said = {name: b"".join(ran.participant_bytes(name).values()) for name in found}
    assert {name: ran.task(name).status for name in found} == dict.fromkeys(found, "failed")
    assert [name for name, what in found.items() if what not in said[name]] == []
