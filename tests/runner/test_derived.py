"""C23 and what else is made from committed trials: forks, replays, regrades. The parent is never touched."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fake_engine import Held, exited, mounted
from tests.runner.lab import evaluator

TASK = "one.linux-arm64-cpu"


@pytest.fixture
def done(lab):
    """A run of one task with two cases, that has ended."""
    lab.bundle("one", cases=2)
    lab.run("one", bindings={"mine": {"x": 0}})
    return lab


def control(lab, *words):
    said = lab("run", *words[:1], "outputs/r", *words[1:], "--json")
    return said.status, said.json


def verified(lab):
    status, said = control(lab, "verify")
    assert status == 0, said.get("findings", said)


def test_c23_a_fork_has_its_own_bindings_and_says_where_it_comes_from(done):
    before = done.files()
    seen = []

    def looks(container):
        seen.append(json.loads(mounted(container, "/agentics-control/bindings.json").read_bytes()))
        return exited()

    done.engine.behaviours["run"] = looks
    status, said = control(done, "fork", "--from-trial", "trial_1", "--at", "step:3", "--set", "x=1")
    assert status == 0, said.get("findings", said)
    fork = said["fork"]
    assert (fork["parent_trial_id"], fork["fallback_mode"], fork["harness_status"]) == (
        "trial_1",
        "input_only",
        "passed",
    )
    assert seen == [{"x": 1}] * 2
    place = f"r/forks/{fork['fork_id']}"
    child = done.read(f"{place}/trial_1/trial_input.json")
    assert child["bindings"] == {"x": 1}
    assert child["ids"]["trial_id"] == f"trial_1_{fork['fork_id']}"
    assert child["ext"]["fork"] == {
        "parent_run_id": "r",
        "parent_trial_id": "trial_1",
        "selector": "step:3",
        "source_checkpoint": None,
        "strict": False,
    }
    assert done.read(f"{place}/manifest.json")["bindings"] == {"x": 1}
    *_, row = done.lines("evidence/evidence_records.jsonl")
    assert (row["ids"]["trial_id"], row["ext"]["parent"]) == (child["ids"]["trial_id"], child["ext"])
    changed = {path for path, content in done.files().items() if before.get(path, content) != content}
    assert {path for path in changed if "/trials/" in path} == set()
    verified(done)


def test_c23_a_strict_fork_without_a_checkpoint_is_refused_and_leaves_nothing(done):
    status, said = control(done, "fork", "--from-trial", "trial_1", "--at", "checkpoint:best", "--strict")
    assert (status, said["error"]["code"]) == (7, "strict_source_unavailable")
    assert not (done.home / "outputs/r/forks").exists()


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (("fork", "--from-trial", "trial_9", "--at", "step:1"), "trial_not_found", 2),
        (("fork", "--from-trial", "trial_1", "--at", "yesterday"), "bad_selector", 2),
        (("fork", "--from-trial", "trial_1", "--at", "step:x"), "bad_selector", 2),
        (("fork", "--from-trial", "trial_1", "--set", "x"), "bad_binding", 2),
        (("replay", "--trial-id", "trial_9"), "trial_not_found", 2),
        (("replay", "--trial-id", "trial_1", "--strict"), "strict_source_unavailable", 7),
        (("regrade", "--adapter-only"), "no_adapter", 2),
        (("regrade", "--trial-id", "trial_9"), "trial_not_found", 2),
    ],
)
def test_what_cannot_be_made_from_a_trial_is_refused_with_a_code_and_nothing_is_left(done, words, code, status):
    kept = {p: c for p, c in done.files().items() if "/runtime/" not in p}
    got, said = control(done, *words)
    assert (got, said["error"]["code"]) == (status, code)
    assert {p: c for p, c in done.files().items() if "/runtime/" not in p} == kept


def test_a_fork_of_nothing_changed_reuses_its_parents_cases_and_a_dry_run_shows_it_first(done):
    ran = done.cases_run()
    _, said = control(done, "fork", "--from-trial", "trial_1", "--dry-run")
    assert {step["stage"]: step["action"] for step in said["fork"]["reuse"]} == {
        "prepare": "reuse",
        "cases": "reuse",
        "evaluate": "rerun",
        "read_result": "rerun",
    }
    assert not (done.home / "outputs/r/forks").exists()
    _, said = control(done, "fork", "--from-trial", "trial_1")
    assert said["fork"]["harness_status"] == "passed"
    assert done.cases_run() == ran


def test_a_trial_is_regraded_as_often_as_one_likes(done):
    for _ in range(2):
        _, said = control(done, "regrade")
        assert [change["skipped"] for change in said["regrade"]["changes"]] == [None]


def test_a_replay_of_the_same_is_best_effort_and_an_edited_solution_lowers_it(done):
    _, said = control(done, "replay", "--trial-id", "trial_1")
    assert (said["replay"]["replay_grade"], said["replay"]["differences"]) == ("best_effort", [])
    assert said["replay"]["harness_status"] == "passed"
    (done.home / "mine" / "run.sh").write_text("tac\n")
    _, said = control(done, "replay", "--trial-id", "trial_1")
    assert (said["replay"]["replay_grade"], said["replay"]["differences"]) == ("none", ["solution_digest"])
    assert len(list((done.home / "outputs/r/replays").iterdir())) == 2
    verified(done)


def test_a_regrade_shows_what_would_change_and_then_changes_it_without_running_a_solution(done):
    ran, before = done.cases_run(), done.files()
    done.engine.behaviours["separated-evaluator"] = evaluator(1, status="passed")
    _, said = control(done, "regrade", "--dry-run")
    (change,) = said["regrade"]["changes"]
    assert (change["value_before"], change["value_after"]) == (1.0, 0.5)
    assert (change["status_before"], change["status_after"]) == ("passed", "degraded")
    after = done.files()
    assert {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)} <= {
        "outputs/r/runtime/control.lock",
        "outputs/r/runtime/operation_lease.json",
    }
    _, said = control(done, "regrade")
    assert said["regrade"]["changes"] == [change]
    assert done.cases_run() == ran
    assert done.outcome()["tasks"][TASK]["primary_metric"]["value"] == 0.5
    assert done.read("r/trials/trial_1/attempts/1/result.json")["objective"]["value"] == 1.0
    assert done.read("r/trials/trial_1/attempts/2/result.json")["ext"]["parent"]["regrade"]["attempt"] == 1
    rows = done.lines("evidence/evidence_records.jsonl")
    assert [row["attempt"] for row in rows] == [1, 2]
    verified(done)


def test_a_regrade_reads_an_edited_bundle(done):
    (done.home / "one/separated-evaluator/evaluate.py").write_text("# corrected\n")
    before = done.read("r/trials/trial_1/trial_metadata.json")["scope"]["bundle_digest"]
    _, said = control(done, "regrade")
    digest = said["regrade"]["bundle_digests"][TASK]
    assert digest != before
    assert done.read("r/trials/trial_1/trial_metadata.json")["scope"]["bundle_digest"] == digest


def test_a_trial_can_be_forked_while_its_run_stands_frozen_and_its_rows_come_with_the_runs_end(lab):
    for name in ("one", "two"):
        lab.bundle(name, cases=1)
    held = Held()
    usual = evaluator()
    lab.engine.behaviours["separated-evaluator"] = usual
    lab.engine.behaviours["run"] = lambda c: held(c) if c.labels["org.agentics.trial"] == "trial_2" else exited()
    with ThreadPoolExecutor(max_workers=1) as pool:
        ended = pool.submit(lab.run, "one", "two")
        assert held.entered.wait(30)
        assert control(lab, "pause")[0] == 0
        status, said = control(lab, "fork", "--from-trial", "trial_1", "--set", "x=1")
        assert (status, said["fork"]["harness_status"]) == (0, "passed")
        child = f"trial_1_{said['fork']['fork_id']}"
        assert control(lab, "regrade")[1]["error"]["code"] == "run_owner_alive"
        assert control(lab, "resume")[0] == 0
        held.release.set()
        assert ended.result(30).exit_status == 0
    rows = [row["ids"]["trial_id"] for row in lab.lines("evidence/evidence_records.jsonl")]
    assert rows == ["trial_1", "trial_2", child]
    verified(lab)
