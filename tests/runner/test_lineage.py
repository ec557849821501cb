"""C15, C23: what goes on from a checkpoint says so, and what is made from a fork or a replay is made from that one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentics.sandbox.labels import TRIAL
from tests.fake_engine import exited, mounted
from tests.stages.agents import Agent

LOOK = threading.Event()


def control(lab, *words):
    said = lab("run", *words[:1], "outputs/r", *words[1:], "--json")
    return said.status, said.json


def verified(lab):
    status, said = control(lab, "verify")
    assert status == 0, said


def given(container):
    """The checkpoint that a case was given, if it was given one."""
    folder = mounted(container, "/agentics-control/checkpoint")
    return (folder / "data").read_text() if folder.exists() else None


@pytest.fixture
def paused(lab):
    """A run whose second trial was paused at the checkpoint `half`, and left by its process. `starts`: what each case
    of that trial began from."""
    for name in ("zero", "one"):
        lab.bundle(name, cases=1)
    entered, lab.starts = threading.Event(), []

    def cooperates(container):
        if container.labels[TRIAL] == "trial_1" or container.labels[TRIAL].startswith("trial_1_"):
            return exited()
        lab.starts.append(given(container))
        if lab.starts != [None]:
            return exited()
        one = Agent(container)
        entered.set()
        for index, action in enumerate(("checkpoint", "stop")):
            while one.asked["action"] != action:
                LOOK.wait(0.005)  # a solution learns of a request by reading a file
            if action == "checkpoint":
                one.checkpoint("half", data="so far", checkpoint__json='{"step": 3}')
            one.step(index)
        return exited()

    lab.engine.behaviours["run"] = cooperates
    with ThreadPoolExecutor(max_workers=1) as pool:
        ended = pool.submit(lab.run, "zero", "one", integration={"mine": "sdk_full"}, bindings={"mine": {"x": 0}})
        assert entered.wait(30)
        status, said = control(lab, "pause", "--timeout-seconds", "30")
        assert (status, said["pause"]["pause_mode"]) == (0, "cooperative")
        ended.result(30)
    lab.paused_by = lab.lines("runtime/invocations.jsonl")[0]["invocation_id"]
    return lab


@pytest.fixture
def resumed(paused):
    """The same, resumed by another process."""
    status, said = control(paused, "resume")
    assert (status, said["resume"]["checkpoints"]) == (0, {"trial_2": "half"})
    return paused


def test_c15_a_resume_from_a_checkpoint_is_recorded_and_told(resumed):
    lab = resumed
    assert lab.starts == [None, "so far"]
    state = lab.read("r/trials/trial_2/trial_state.json")
    assert (state["status"], state["checkpoint_selected"], state["attempt"]) == ("completed", "half", 2)
    lineage = {
        "attempt": 1,
        "invocation_id": lab.paused_by,
        "cases_kept": 0,
        "checkpoints": {"run-0001": "half"},
    }
    assert lab.read("r/trials/trial_2/trial_input.json")["ext"] == {"resume": lineage}
    assert lab.read("r/trials/trial_2/result.json")["ext"]["parent"] == {"resume": lineage}
    assert lab.lines("evidence/evidence_records.jsonl")[-1]["ext"]["parent"] == {"resume": lineage}
    told = [event["event"] for event in lab.lines("runtime/events.jsonl")]
    assert told.count("run_paused") == told.count("run_resumed") == 1
    again = told.index("run_started", 1)
    assert told[again : again + 3] == ["run_started", "run_resumed", "trial_started"]
    verified(lab)


def test_c15_a_replay_of_what_was_resumed_begins_there_and_is_never_strict(resumed):
    lab = resumed
    status, said = control(lab, "replay", "--trial-id", "trial_2", "--strict")
    assert (status, said["error"]["code"]) == (7, "strict_source_unavailable")
    assert "half" in said["error"]["message"]
    status, said = control(lab, "replay", "--trial-id", "trial_2")
    replay = said["replay"]
    assert (status, replay["replay_grade"], replay["source_checkpoint"]) == (0, "checkpointed", "half")
    assert lab.starts == [None, "so far", "so far"]
    state = lab.read(f"r/replays/{replay['replay_id']}/trial_1/trial_state.json")
    assert state["checkpoint_selected"] == "half"
    verified(lab)


def test_c15_a_replay_whose_checkpoint_is_gone_begins_anew_and_says_so(resumed):
    lab = resumed
    (row,) = lab.lines("trials/trial_2/attempts/1/checkpoints.jsonl")
    for file in row["files"]:
        digest = file["ref"].rpartition("/")[2]
        (lab.home / "outputs/r/artifacts/sha256" / digest / "blob").unlink()
    status, said = control(lab, "replay", "--trial-id", "trial_2")
    assert (status, said["replay"]["replay_grade"]) == (0, "best_effort")
    assert (said["replay"]["differences"], said["replay"]["source_checkpoint"]) == (["checkpoint"], None)
    assert lab.starts[-1] is None


def test_c23_a_replay_of_a_replay_of_a_fork_has_what_the_fork_was_given(resumed):
    lab = resumed
    words = ("fork", "--from-trial", "trial_2", "--at", "checkpoint:half", "--set", "x=7")
    _, said = control(lab, *words)
    name = f"trial_2_{said['fork']['fork_id']}"
    for _ in range(2):
        status, said = control(lab, "replay", "--trial-id", name)
        assert (status, said["replay"]["parent_trial_id"], said["replay"]["source_checkpoint"]) == (0, name, "half")
        name = f"{name}_{said['replay']['replay_id']}"
        found = lab.read(f"r/replays/{said['replay']['replay_id']}/trial_1/trial_input.json")
        assert (found["ids"]["trial_id"], found["bindings"]) == (name, {"x": 7})
    status, said = control(lab, "fork", "--from-trial", name, "--set", "y=1")
    assert (status, said["fork"]["bindings"], said["fork"]["fallback_mode"]) == (0, {"x": 7, "y": 1}, "input_only")
    assert lab.starts == [None, "so far", "so far", "so far", "so far", None]
    rows = [row["ids"]["trial_id"] for row in lab.lines("evidence/evidence_records.jsonl")]
    assert len(rows) == len(set(rows)) == 6
    verified(lab)


def test_c23_a_fork_at_a_checkpoint_that_is_not_there_is_refused_and_told_which_are(resumed):
    lab = resumed
    status, said = control(lab, "fork", "--from-trial", "trial_2", "--at", "checkpoint:nope")
    assert (status, said["error"]["code"]) == (2, "checkpoint_not_found")
    assert "half" in said["error"]["hint"]
    assert not (lab.home / "outputs/r/forks").exists()


def test_c13_nothing_of_a_resumed_and_regraded_run_rests_on_events(resumed):
    assert control(resumed, "regrade")[0] == 0
    counts = resumed.check_that_nothing_rests_on_events()
    assert counts == {f"trial_{n}": {"trial_started": n + 1, "trial_finished": n + 1} for n in (1, 2)}


def test_c15_what_is_made_from_a_paused_run_leaves_it_paused_and_it_goes_on_from_its_checkpoint(paused):
    lab = paused
    assert control(lab, "fork", "--from-trial", "trial_2")[1]["error"]["code"] == "trial_not_committed"
    for words in (("fork", "--from-trial", "trial_1", "--set", "x=1"), ("replay", "--trial-id", "trial_1")):
        assert control(lab, *words)[0] == 0
    status, said = control(lab, "regrade")
    assert (status, [change["trial_id"] for change in said["regrade"]["changes"]]) == (0, ["trial_1"])
    state = lab.read("r/runtime/run_control.json")
    assert (state["status"], state["pause"] is not None, [*state["active_trials"]]) == ("paused", True, ["trial_2"])
    verified(lab)
    status, said = control(lab, "resume")
    assert (status, said["resume"]["checkpoints"], lab.starts) == (0, {"trial_2": "half"}, [None, "so far"])
    assert [entry[0] for entry in lab.tasks()] == ["passed", "passed"]
    lineage = lab.read("r/trials/trial_2/trial_input.json")["ext"]["resume"]
    assert lineage["invocation_id"] == lab.paused_by
    verified(lab)
