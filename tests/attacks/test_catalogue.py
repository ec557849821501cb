"""The cases of the attack suite say what they are, and together they cover the list."""

from __future__ import annotations

import pytest

from agentics.attacks.catalogue import COMMANDED, EVALUATED, Ending, cases, listed, read_case
from agentics.attacks.rows import judged, unshown
from agentics.attacks.surroundings import Machine

CASES = cases()
MACHINE = Machine(engine="docker 1", runtime="runsc", places="directory", root=False, network=False)


@pytest.fixture
def written(tmp_path):
    def case(*lines, name="c28_forks"):
        path = tmp_path / f"{name}.py"
        path.write_text("\n".join([*lines, "import os", ""]))
        return read_case(path)

    return case


def test_every_number_of_the_list_has_a_case_or_says_why_there_is_none():
    numbers = [one.number for one in listed()]
    assert [int(number[1:]) for number in numbers] == list(range(1, 65))
    covered = {number for case in CASES for number in case.numbers}
    assert [one.number for one in listed() if one.number not in covered and not one.unshown] == []
    assert covered - set(numbers) == set()


def test_every_group_has_cases_and_the_quick_half_has_some_of_each():
    assert {case.group for case in CASES} == {*EVALUATED, *COMMANDED}
    assert {case.group for case in cases(full=False)} == {*EVALUATED, *COMMANDED}
    assert len({(case.group, case.name) for case in CASES}) == len(CASES)


def test_a_header_is_read_whole(written):
    case = written(
        "# C28, B14: forks",
        "# ends: failed all_samples_failed participant",
        "# runsc: passed - -",
        "# phase: build",
        "# quick: no",
        "# needs: root bounded",
        "# this is no header: any more",
    )
    assert (case.numbers, case.title, case.phase, case.quick) == (("C28", "B14"), "forks", "build", False)
    assert case.needs == {"root", "bounded"}
    assert case.ends == Ending(status="failed", reason="all_samples_failed", fault="participant")
    assert case.expected(frozenset({"runc", "loop"})) == case.ends
    assert case.expected(frozenset({"runsc", "loop"})) == Ending(status="passed")
    assert case.targets_machine


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["import os"], "first line"),
        (["# forks", "# ends: passed - -"], "first line"),
        (["# C28: forks"], "`ends` is missing"),
        (["# C28: forks", "# ends: passed"], "status reason fault"),
        (["# C28: forks", "# ends: passed - -", "# runsc: passed"], "status reason fault"),
        (["# C28: forks", "# ends: passed - -", "# colour: red"], "'colour' is not known"),
        (["# C28: forks", "# ends: passed - -", "# needs: moon"], "'moon'"),
        (["# C28: forks", "# ends: passed - -", "# phase: later"], "'later'"),
        (["# C28: forks", "# ends: passed - -", "# quick: perhaps"], "`quick`"),
    ],
)
def test_a_header_that_is_wrong_is_refused(lines, why, written):
    with pytest.raises(ValueError, match=why):
        written(*lines)


def test_a_reason_of_any_kind_is_a_reason():
    any_reason = Ending(status="refused", reason="*", fault="user")
    assert any_reason.admits(Ending(status="refused", reason="bad_path", fault="user"))
    assert not any_reason.admits(Ending(status="refused", fault="user"))
    assert not any_reason.admits(Ending(status="refused", reason="bad_path", fault="infrastructure"))


def test_a_case_that_a_machine_cannot_show_is_not_counted_as_passed(written):
    case = written("# C28: forks", "# ends: passed - -", "# needs: loop network root bounded")
    why = MACHINE.lacks(case)
    assert why == "this machine lacks: bounded, loop, network, root"
    assert unshown(case, MACHINE, why).status == "not shown"
    assert MACHINE.lacks(written("# C28: forks", "# ends: passed - -")) is None


def test_a_row_fails_by_its_ending_or_by_what_was_found_besides(written):
    case = written("# C28: forks", "# ends: passed - -", "# directory: failed - participant")
    right, wrong = Ending(status="failed", fault="participant"), Ending(status="passed")
    assert judged(case, MACHINE, right, []).status == "ok"
    assert judged(case, MACHINE, wrong, []).why == "it ended differently"
    found = judged(case, MACHINE, right, ["a container still ran"])
    assert (found.status, found.why, found.title) == ("failed", "a container still ran", "forks")
