"""C20, C25, C26: slots are filled side by side and committed in order, each once, whoever dies in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import pytest

from agentics.errors import EngineError
from agentics.model.run.design import Design, Pruning, RetryPolicy
from agentics.sandbox.labels import TRIAL
from tests.conftest import BUNDLES
from tests.fake_engine import exited, timed_out
from tests.runner.lab import evaluator, on_trial, raises, solution

VARYING = {"ts", "prev", "recorded_at", "payload_digest", "invocation_id", "run_id", "evidence", "paths"}


def told(lab, path, run_id):
    """A ledger without what differs from run to run: times, and digests of what holds times."""
    lines = [{k: v for k, v in line.items() if k not in VARYING} for line in lab.lines(path, run_id)]
    for line in lines:
        if "ids" in line:
            line["ids"] = {k: v for k, v in line["ids"].items() if k != "run_id"}
        line.pop("snapshots", None)
        line.pop("diffs", None)
    return lines


def backwards(size):
    """An evaluator that lets trials of a group of so many end in the reverse of the order in which they began."""
    over = [threading.Event() for _ in range(64)]
    usual = evaluator()

    def behave(container):
        number = int(container.labels[TRIAL].removeprefix("trial_"))
        if number % size:
            assert over[number + 1].wait(60)
        ended = usual(container)
        over[number].set()
        return ended

    return behave


def test_c25_side_by_side_leaves_the_ledgers_that_one_after_the_other_leaves(lab):
    for name in ("one", "two"):
        lab.bundle(name)
    solution(lab.home, "other")
    wanted = {"solutions": ("mine", "other"), "fail_fast": False}
    lab.run("one", "two", run_id="slow", design=Design(replications=2), **wanted)
    lab.engine.behaviours["separated-evaluator"] = backwards(4)
    lab.run("one", "two", run_id="quick", design=Design(replications=2, max_concurrency=4), **wanted)
    for path in (
        "evidence/evidence_records.jsonl",
        "evidence/task_chain_states.jsonl",
        "runtime/slot_commit_journal.jsonl",
    ):
        assert told(lab, path, "slow") == told(lab, path, "quick")
    journal = lab.lines("runtime/slot_commit_journal.jsonl", "quick")
    assert [(e["record_type"], e["schedule_idx"]) for e in journal] == [
        (kind, index) for index in range(8) for kind in ("intent", "commit")
    ]
    progress = lab.read("quick/runtime/schedule_progress.json")
    assert [slot["trial_id"] for slot in progress["completed_slots"]] == [f"trial_{n}" for n in range(1, 9)]
    assert (progress["next_schedule_index"], progress["next_trial_index"]) == (8, 9)


def test_one_trial_is_one_evidence_record_with_everything_by_content(lab):
    lab.bundle("one")
    assert lab.run("one").exit_status == 0
    record, *rest = lab.lines("evidence/evidence_records.jsonl")
    assert rest == []
    assert record["ids"] == {
        "run_id": "r",
        "trial_id": "trial_1",
        "variant_id": "mine",
        "task_id": "one.linux-arm64-cpu",
        "repl_idx": 0,
    }
    assert record["runtime"]["exit_status"] == "0"
    store = lab.home / "outputs" / "r" / "artifacts" / "sha256"
    for key, path in record["paths"].items():
        digest = record["evidence"][f"{key}_ref"].rpartition("/")[2]
        assert (store / digest / "blob").read_bytes() == (lab.home / "outputs" / "r" / path).read_bytes(), key
    assert {"trial_input", "trial_output", "stdout", "stderr"} <= record["paths"].keys()


def test_c26_a_variant_is_given_up_after_so_many_failures_and_the_other_goes_on(lab):
    for name in ("one", "two", "three", "four"):
        lab.bundle(name)
    solution(lab.home, "other")
    fails = {"trial_1", "trial_2"}
    bad = evaluator(0)
    good = evaluator()
    lab.engine.behaviours["separated-evaluator"] = lambda c: (bad if c.labels[TRIAL] in fails else good)(c)
    design = Design(pruning=Pruning(max_consecutive_failures=2), max_concurrency=4)
    lab.run("one", "two", "three", "four", solutions=("mine", "other"), design=design)
    assert [status for status, _, _ in lab.tasks()] == ["failed", "failed", "skipped", "skipped"]
    assert [reason for _, reason, _ in lab.tasks()][2:] == ["pruned", "pruned"]
    assert [status for status, _, _ in lab.tasks(variant="other")] == ["passed"] * 4
    progress = lab.read("r/runtime/schedule_progress.json")
    assert progress["pruned_variants"] == ["mine"]
    assert [(s["status"], s["trial_id"]) for s in progress["completed_slots"]][2:4] == [("skipped_pruned", None)] * 2
    assert not (lab.home / "outputs/r/trials/trial_3/attempts").exists()


def test_c26_what_the_infrastructure_failed_gives_no_variant_up(lab):
    for name in ("one", "two", "three"):
        lab.bundle(name)
    lost = raises(EngineError("connection reset", code="engine_lost"))
    behaviours = {"trial_1": evaluator(0), "trial_2": lost}
    lab.engine.behaviours["separated-evaluator"] = lambda c: behaviours.get(c.labels[TRIAL], evaluator())(c)
    lab.run("one", "two", "three", design=Design(pruning=Pruning(max_consecutive_failures=2)))
    assert [status for status, _, _ in lab.tasks()] == ["failed", "error", "passed"]


@pytest.mark.parametrize(
    ("on", "behaviour", "attempts"),
    [
        ((), lambda _: exited(1), 3),
        (("error",), lambda _: exited(1), 3),
        (("failure",), lambda _: exited(1), 1),
        (("failure",), evaluator(0), 3),
        ((), evaluator(0), 1),
        (("timeout",), lambda _: timed_out(), 3),
        (("timeout",), lambda _: exited(1), 1),
    ],
)
def test_c26_what_is_tried_again_is_what_the_design_says(lab, on, behaviour, attempts):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = behaviour
    lab.run("one", design=Design(retry=RetryPolicy(max_attempts=3, retry_on=on)))
    assert [attempt for _, _, attempt in lab.tasks()] == [attempts]
    records = lab.lines("evidence/evidence_records.jsonl")
    assert [record["attempt"] for record in records] == [*range(1, attempts + 1)]
    assert len({record["slot_commit_id"] for record in records}) == 1


def test_a_trial_that_takes_longer_than_the_experiment_allows_is_ended_and_nobody_is_blamed(lab):
    lab.bundle("one")
    gone = threading.Event()

    def sleeps(container):
        assert gone.wait(60)
        return exited(137, ended="killed", signal=9)

    lab.engine.behaviours["run"] = sleeps
    remove = lab.engine.remove

    def removed(labels):
        if TRIAL in labels:
            gone.set()
        return remove(labels)

    lab.engine.remove = removed
    lab.run("one", trial_timeout_s=0.2)
    assert [(status, reason) for status, reason, _ in lab.tasks()] == [("error", "trial_time_limit")]
    assert lab.outcome()["tasks"]["one.linux-arm64-cpu"]["fault"] == "user"


def test_replications_are_one_task_whose_metric_is_their_mean(lab):
    lab.bundle("one", cases=4)
    lab.engine.behaviours["separated-evaluator"] = lambda c: evaluator(
        {"trial_1": 4, "trial_2": 2, "trial_3": 3}[c.labels[TRIAL]], status="passed"
    )(c)
    lab.run("one", design=Design(replications=3))
    task = lab.outcome()["tasks"]["one.linux-arm64-cpu"]
    assert task["status"] == "degraded"
    assert task["primary_metric"]["value"] == pytest.approx(0.75)
    assert list(task["subtasks"]) == ["repl_0", "repl_1", "repl_2"]
    assert lab.outcome()["counts"]["requested_tasks"] == 1


def test_only_the_replication_that_is_missing_is_run_again(lab):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = lambda c: (
        exited(1) if c.labels[TRIAL] == "trial_2" else evaluator()(c)
    )
    lab.run("one", design=Design(replications=3))
    before = lab.cases_run()
    lab.engine.behaviours["separated-evaluator"] = evaluator()
    lab.run("one", design=Design(replications=3))
    assert lab.cases_run() == before + 3  # the cases of one trial
    assert [status for status, _, _ in lab.tasks()] == ["passed"]


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from agentics.rundir import commit
from agentics.runner import run_resources
from agentics.request.campaign import EvalRequest, compile_request
from agentics.usecases.evaluate import evaluate
from agentics.pipeline.progress import silent
from agentics import config
from tests.fake_engine import FakeEngine
from tests.runner.lab import evaluator

point, number, home = sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
engine = FakeEngine(behaviours={"separated-evaluator": evaluator()})

@contextmanager
def open_engine(*_):
    yield engine

run_resources.open_engine = open_engine
calls = 0

def dies(name, before):
    function = getattr(commit, name)
    def wrapped(*args, **more):
        global calls
        calls += 1
        if calls == number and before:
            os.kill(os.getpid(), signal.SIGKILL)
        value = function(*args, **more)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return value
    setattr(commit, name, wrapped)

if point == "before outcomes":
    from agentics.usecases import evaluate as module
    module._projected = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
elif point == "after progress":
    save = commit.CommitProgress.save
    def saved(self):
        save(self)
        if len(self.completed) == number:
            os.kill(os.getpid(), signal.SIGKILL)
    commit.CommitProgress.save = saved
else:
    when, name = point.split()
    dies(f"append_{name}", when == "before")
request = EvalRequest(
    bundles=tuple(home / name for name in ("one", "two", "three", "four")),
    solutions=(("mine", home / "mine"),), run_id="r", output_path=home / "outputs",
)
evaluate(compile_request(request, config.load()), silent)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("point", ["before intent", "after intent", "after rows", "after commit", "after progress"])
def test_c20_every_slot_is_committed_once_wherever_the_runner_is_killed(lab, point, number):
    for name in ("one", "two", "three", "four"):
        lab.bundle(name)
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(BUNDLES.parent), point, str(number), str(lab.home)],
        cwd=lab.home,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    said = lab("run", "recover", "outputs/r", "--json")
    assert said.status == 0, said.err
    assert said.json["recover"]["recovered_status"] == "interrupted"
    assert lab("run", "continue", "outputs/r", "--json").status == 0
    check_committed_once(lab.lines, 4)
    assert lab.read("r/runtime/run_control.json")["status"] == "completed"


@pytest.mark.slow
def test_a_run_is_not_completed_before_its_outcomes_are_written(lab):
    for name in ("one", "two", "three", "four"):
        lab.bundle(name)
    argv = [sys.executable, "-c", KILLED, str(BUNDLES.parent), "before outcomes", "0", str(lab.home)]
    assert subprocess.run(argv, cwd=lab.home, check=False).returncode == -signal.SIGKILL
    assert lab.read("r/runtime/run_control.json")["status"] == "running"
    assert lab("run", "continue", "outputs/r", "--json").status == 0
    assert [status for status, _, attempts in lab.tasks() if attempts == 1] == ["passed"] * 4
    check_committed_once(lab.lines, 4)


def check_committed_once(lines, slots):
    """Every slot of the newest schedule has one commit, every attempt one row, and nothing is there twice."""
    journal = lines("runtime/slot_commit_journal.jsonl")
    commits = [entry["slot_commit_id"] for entry in journal if entry["record_type"] == "commit"]
    assert len(commits) == len(set(commits)) == slots
    assert {e["slot_commit_id"] for e in journal if e["record_type"] == "intent"} == set(commits)
    for path in ("evidence/evidence_records.jsonl", "evidence/task_chain_states.jsonl"):
        rows = [(row["ids"]["trial_id"], row["attempt"]) for row in lines(path)]
        assert len(rows) == len(set(rows))
        assert {row["slot_commit_id"] for row in lines(path)} == set(commits)


def test_an_id_that_is_taken_is_refused_to_an_experiment(lab):
    lab.bundle("one")
    lab.run("one", fresh=True)
    with pytest.raises(Exception, match="is there already") as refused:
        lab.run("one", fresh=True)
    assert refused.value.code == "run_exists"


def test_the_control_file_carries_the_keys_of_both_versions_while_one_trial_is_active(lab):
    lab.bundle("one")
    seen = []
    control = lab.home / "outputs/r/runtime/run_control.json"
    lab.engine.behaviours["run"] = on_trial(
        "trial_1", lambda _: seen.append(json.loads(control.read_bytes())) or exited()
    )
    lab.run("one")
    during, after = seen[0], json.loads(control.read_bytes())
    assert during["active_trial_id"] == "trial_1"
    assert during["active_trials"]["trial_1"]["schedule_idx"] == 0
    assert (after["active_trial_id"], after["active_trials"], after["status"]) == (None, {}, "completed")
