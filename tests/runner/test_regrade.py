"""AC4: evaluators again over what solutions left: as often as one likes, undone by another, and safe to interrupt."""

from __future__ import annotations

import os
import shutil
import signal
import sys

import pytest

from agentics.model.run.design import AdapterCommand
from tests.fake_engine import exited, writes
from tests.runner.lab import bundle, evaluator
from tests.runner.test_benchmark import SAYS_NO

TASK = "one.linux-arm64-cpu"


@pytest.fixture
def done(lab):
    """A run of one task with two cases, that has ended."""
    lab.bundle("one", cases=2)
    lab.run("one")
    return lab


def control(lab, *words):
    said = lab("run", *words[:1], "outputs/r", *words[1:], "--json")
    return said.status, said.json


def score(lab):
    found = lab.outcome()["tasks"][TASK]
    return found["status"], (found["primary_metric"] or {}).get("value")


def verified(lab):
    status, said = control(lab, "verify")
    assert status == 0, said


def says_half(lab, other):
    lab.engine.behaviours["separated-evaluator"] = evaluator(1)


def asks_for_more(lab, other):
    shutil.rmtree(other)
    bundle(other.parent, "one", cases=3)


def crashes(lab, other):
    lab.engine.behaviours["separated-evaluator"] = lambda _: exited(3)


@pytest.mark.parametrize("wrong", [says_half, asks_for_more, crashes])
def test_ac4_a_wrong_regrade_is_undone_by_one_with_the_bundle_of_before(done, wrong):
    ran = done.cases_run()
    usual = done.engine.behaviours["separated-evaluator"]
    other = bundle(done.home / "other", "one", cases=2)
    wrong(done, other)
    status, said = control(done, "regrade", "--bundle", "other/one")
    assert status == 0
    assert [change["skipped"] for change in said["regrade"]["changes"]] == [None]
    assert score(done) != ("passed", 1.0)
    done.engine.behaviours["separated-evaluator"] = usual
    for words in (("--bundle", "one"), ()):
        status, said = control(done, "regrade", *words)
        (change,) = said["regrade"]["changes"]
        assert (status, change["skipped"], change["value_after"]) == (0, None, 1.0)
        assert score(done) == ("passed", 1.0)
    assert done.cases_run() == ran
    assert [row["attempt"] for row in done.lines("evidence/evidence_records.jsonl")] == [1, 2, 3, 4]
    verified(done)


def test_ac4_a_regrade_with_the_bundle_of_another_challenge_is_refused_and_changes_nothing(done):
    done.bundle("two", cases=2)
    before = done.files()
    for words in ((), ("--dry-run",)):
        status, said = control(done, "regrade", "--bundle", "two", *words)
        assert (status, said["error"]["code"]) == (2, "task_not_in_bundles")
        assert TASK in said["error"]["message"]
        assert "two.linux-arm64-cpu" in said["error"]["hint"]
    assert done.files() == before


def test_ac4_a_regrade_of_a_run_whose_bundle_is_gone_is_refused_and_works_with_a_copy_of_it(done):
    (done.home / "one").rename(done.home / "moved")
    status, said = control(done, "regrade")
    assert (status, said["ok"]) == (2, False)
    assert str(done.home / "one") in said["error"]["message"]
    status, said = control(done, "regrade", "--bundle", "moved")
    assert (status, said["regrade"]["changes"][0]["value_after"]) == (0, 1.0)
    verified(done)


def test_ac4_an_adapters_scores_that_come_with_a_regrade_end_the_failure_of_the_run_and_open_its_gate(lab):
    lab.bundle("one")
    program = lab.home / "adapter.py"
    program.write_text("raise SystemExit(3)")
    assert lab.run("one", adapter=AdapterCommand(command=(sys.executable, "adapter.py"))).error is not None
    assert lab("run", "gate", "outputs/r").status == 1
    status, said = control(lab, "regrade", "--adapter-only")
    assert (status, said["error"]["code"]) == (4, "adapter_exit_nonzero")
    assert lab.read("r/runtime/run_control.json")["status"] == "failed"
    assert lab("run", "gate", "outputs/r").status == 1
    verified(lab)
    program.write_text(SAYS_NO)
    assert control(lab, "regrade", "--adapter-only")[0] == 0
    assert lab.read("r/runtime/run_control.json")["status"] == "completed"
    assert (lab.outcome()["status"], lab.outcome()["exit_code"], lab.outcome()["errors"]) == ("passed", 0, [])
    assert lab("run", "gate", "outputs/r").status == 0
    verified(lab)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ac4_a_regrade_that_is_stopped_says_so_and_another_one_makes_it_good(done, number, status):
    usual = done.engine.behaviours["separated-evaluator"]

    def is_stopped(container):
        os.kill(os.getpid(), number)
        return exited(137, ended="killed", signal=9)

    done.engine.behaviours["separated-evaluator"] = is_stopped
    got, said = control(done, "regrade")
    assert (got, said["error"]["code"]) == (status, "interrupted")
    assert done.read("r/runtime/run_control.json")["status"] == "interrupted"
    assert score(done) == ("pending", None)
    assert done.outcome()["errors"][0]["stage"] == "interrupted"
    verified(done)
    done.engine.behaviours["separated-evaluator"] = usual
    got, said = control(done, "regrade")
    assert (got, said["regrade"]["changes"][0]["skipped"], score(done)) == (0, None, ("passed", 1.0))
    assert done.read("r/runtime/run_control.json")["status"] == "completed"
    verified(done)


def test_ac4_a_fork_is_regraded_by_its_name_and_its_parent_is_not_touched(done):
    _, said = control(done, "fork", "--from-trial", "trial_1", "--set", "x=1")
    name, place = f"trial_1_{said['fork']['fork_id']}", f"r/forks/{said['fork']['fork_id']}/trial_1"
    before = {path: data for path, data in done.files().items() if "/trials/" in path}
    done.engine.behaviours["separated-evaluator"] = evaluator(1, status="passed")
    for words, values in ((("--dry-run",), (1.0, 0.5)), ((), (1.0, 0.5)), ((), (0.5, 0.5))):
        status, said = control(done, "regrade", "--trial-id", name, *words)
        (change,) = said["regrade"]["changes"]
        assert (status, change["skipped"], (change["value_before"], change["value_after"])) == (0, None, values)
    assert done.read(f"{place}/result.json")["ext"]["parent"]["regrade"]["parent_trial_id"] == name
    assert done.read(f"{place}/trial_input.json")["bindings"] == {"x": 1}
    assert {path: data for path, data in done.files().items() if "/trials/" in path} == before
    assert done.read("r/runtime/run_control.json")["active_trials"] == {}
    assert score(done) == ("passed", 1.0)
    rows = [(row["ids"]["trial_id"], row["attempt"]) for row in done.lines("evidence/evidence_records.jsonl")]
    assert rows == [("trial_1", 1), (name, 1), (name, 2), (name, 3)]
    verified(done)


def test_ac4_what_a_regrade_leaves_is_forked_and_replayed_from_the_attempt_in_which_the_solution_ran(done):
    asks_for_more(done, bundle(done.home / "other", "one", cases=2))
    assert control(done, "regrade", "--bundle", "other/one")[0] == 0
    status, said = control(done, "replay", "--trial-id", "trial_1")
    assert (status, said["replay"]["harness_status"]) == (0, "passed")
    status, said = control(done, "fork", "--from-trial", "trial_1")
    assert (status, said["fork"]["harness_status"]) == (0, "passed")
    verified(done)


def test_ac4_a_killed_run_is_regraded_only_for_show(done):
    control_file = done.home / "outputs/r/runtime/run_control.json"
    control_file.write_text(control_file.read_text().replace('"completed"', '"killed"'))
    status, said = control(done, "regrade")
    assert (status, said["error"]["code"]) == (7, "run_killed")
    assert control(done, "regrade", "--dry-run", "--accept-alterations")[0] == 0


def test_ac4_a_run_whose_regrade_with_another_bundle_was_stopped_can_be_continued_too(done):
    usual = done.engine.behaviours["separated-evaluator"]
    other = bundle(done.home / "other", "one", cases=2)
    (other / "separated-evaluator/evaluate.py").write_text("# corrected\n")

    def is_stopped(container):
        os.kill(os.getpid(), signal.SIGINT)
        return exited(137, ended="killed", signal=9)

    done.engine.behaviours["separated-evaluator"] = is_stopped
    assert control(done, "regrade", "--bundle", "other/one")[0] == 130
    verified(done)
    done.engine.behaviours["separated-evaluator"] = usual
    assert (control(done, "continue")[0], score(done)) == (0, ("passed", 1.0))
    verified(done)


def test_a_run_whose_cases_left_more_than_is_kept_is_not_regraded_and_says_why(lab):
    lab.bundle("one", cases=2)
    config = (lab.home / "agentics.toml").read_text()
    (lab.home / "agentics.toml").write_text(f"{config}\n[evidence]\ncase_entries = 3\n")
    lab.engine.behaviours["run"] = writes({f"/io/output/{number}": "x" for number in range(5)})
    lab.run("one")
    assert score(lab) == ("passed", 1.0)
    for words in (("--dry-run",), ()):
        status, said = control(lab, "regrade", *words)
        assert status == 0
        assert [change["skipped"] for change in said["regrade"]["changes"]] == [
            "its cases left more than is kept: [evidence] in agentics.toml says how much that is"
        ]
    assert score(lab) == ("passed", 1.0)
    verified(lab)
