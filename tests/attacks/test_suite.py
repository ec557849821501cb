"""The quick half of the attack suite, on the real engine: no case fails, and nothing is left of any."""

from __future__ import annotations

import getpass
import platform
import re

import pytest

from agentics.attacks.catalogue import EVALUATED, cases, named, read_case
from agentics.attacks.evaluating import evaluate_solutions, judge_group, run_group
from agentics.attacks.groups import lay_bundle, lay_case
from agentics.attacks.material import lay
from agentics.attacks.suite import attack
from agentics.attacks.surroundings import examine
from agentics.config import RelaxRule

pytestmark = pytest.mark.docker
QUICK = cases(full=False)


@pytest.mark.parametrize("case", QUICK, ids=lambda case: f"{case.group}-{case.name}")
def test_a_hostile_case_ends_as_its_header_says(case, report):
    row = next(row for row in report.rows if (row.group, row.case) == (case.group, case.name))
    if row.status == "not shown":
        pytest.skip(row.why)
    assert (row.status, row.why) == ("ok", ""), row


@pytest.mark.parametrize("group", EVALUATED)
def test_nothing_is_left_of_a_group(group, report):
    row = next(row for row in report.rows if (row.group, row.case) == (group, "(afterwards)"))
    assert (row.status, row.why) == ("ok", "")


def test_every_case_has_one_row(report, own_config):
    rows = [(row.group, row.case) for row in report.rows if row.numbers]
    assert sorted(rows) == sorted((case.group, case.name) for case in QUICK)
    assert sum(report.counts.values()) == len(report.rows)
    assert list(own_config.sandbox.scratch.iterdir()) == []


@pytest.fixture
def spared(own_config, tmp_path):
    """What becomes of some cases where the operator spares every image our system-call filter."""
    rule = RelaxRule(image="*", allow=("default_seccomp",))
    sandbox = own_config.sandbox.model_copy(update={"relax": (rule,), "scratch": tmp_path / "scratch"})

    def of(*names, planted):
        made, private = lay_bundle("separated", tmp_path, patience_s=120)  # on a busy machine a walk is long
        solutions = {
            case.name: lay(lay_case(tmp_path / "solutions" / case.name, case), planted)
            for case in cases("separated")
            if case.name in names
        }
        config = own_config.model_copy(update={"sandbox": sandbox})
        return evaluate_solutions(config, tmp_path, made, private, solutions, lambda name: None)

    return of


def test_what_the_programs_look_for_is_found_where_it_is(spared):
    """The control: the same programs find something as soon as there is something to be found."""
    found = {
        "a01_walks_everything": b"planted.txt holds b'cnryplanted",
        "d44_calls_that_are_denied": b"io_uring_setup: ",
    }
    seen = spared(*found, planted={"planted.txt": "cnryplanted"})
    assert {name: seen.task(name).status for name in found} == dict.fromkeys(found, "failed")
    assert [name for name, what in found.items() if what not in seen.participant_bytes(name)] == []
    assert_names_nobody(seen.participant_bytes("a01_walks_everything").decode(errors="replace"))


def assert_names_nobody(everything):
    said = "".join(part for part in everything.split("\n== ") if part.startswith(("/proc/", "/etc/host")))
    assert re.search(r"/proc/\d+/mountinfo\n\d+ ", said)
    names = ["hostile-separated", "a01_walks_everything", platform.node()]
    names += [getpass.getuser()] if getpass.getuser() != "root" else []
    assert [name for name in names if re.search(rf"\b{re.escape(name)}\b", said)] == []


def test_what_a_program_forges_is_marked_as_its_own_in_the_log_that_people_read(own_config, tmp_path):
    name = "b16_forges_log_sections"
    made, private = lay_bundle("coexecuted", tmp_path)
    case = next(case for case in cases("coexecuted") if case.name == name)
    solutions = {name: lay_case(tmp_path / "solution", case)}
    sandbox = own_config.sandbox.model_copy(update={"scratch": tmp_path / "scratch"})
    config = own_config.model_copy(update={"sandbox": sandbox})
    seen = evaluate_solutions(config, tmp_path, made, private, solutions, lambda name: None)
    for log in ("harness_stdout.log", "harness_stderr.log"):
        lines = (seen.trial(name).root / log).read_bytes().decode().splitlines()
        forged = [line for line in lines if "forged by" in line or "run-0001:outcome" in line or "evaluator:" in line]
        assert len(forged) >= 3
        assert [line for line in forged if not line.startswith("solution| ")] == []
        assert [line for line in lines if not line.isprintable()] == []


WRONG = {
    "b12_is_allowed_what_it_must_not_be": ("passed - -", 'print("NOT CONTAINED", "the moon")'),
    "b13_knows_a_secret": ("failed verdict_fail -", 'print("cn" + "ryanswer")'),
    "b14_is_no_attack": ("failed verdict_fail -", "honest.answer()"),
    "b16_is_as_expected": ("passed - -", "honest.answer()"),
}


def test_a_case_that_was_not_contained_fails_and_says_what_was_found(own_config, tmp_path):
    found = []
    for name, (ends, body) in WRONG.items():
        path = tmp_path / "separated" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {name[:3].upper()}: a case\n# ends: {ends}\nimport honest\n\n{body}\n")
        found.append(read_case(path))
    sandbox = own_config.sandbox.model_copy(update={"scratch": tmp_path / "scratch"})
    config = own_config.model_copy(update={"sandbox": sandbox})
    seen = run_group("separated", found, config, tmp_path / "work", lambda name: None)
    rows = {row.case: row for row in judge_group("separated", found, seen, examine(config))}
    allowed, knows, none, fine, after = rows.values()
    assert allowed.status == knows.status == none.status == "failed"
    assert allowed.why.startswith("it ended differently; NOT CONTAINED the moon")
    assert knows.why.startswith("cnryanswer")
    assert (none.found, none.why) == ("passed - -", "it ended differently")
    assert (fine.status, after.status) == ("ok", "ok")


def test_a_case_can_be_run_alone_and_a_run_directory_is_made_for_those_that_alter_one(own_config):
    chosen = named(["rundirs/c32_sparse_ledger"])
    report = attack(own_config, lambda step: None, chosen)
    assert report.part == "chosen"
    assert [(row.group, row.case, row.status) for row in report.rows] == [
        ("files", "(afterwards)", "ok"),
        ("rundirs", chosen[0].name, "ok"),
    ]
