"""C15 to C19, C21, C22: what a controller may do to a run at any moment, and what it is told when it may not."""

from __future__ import annotations

import json
import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentics.errors import AgenticsError, EngineError
from agentics.rundir.files.atomic import utc_now
from agentics.rundir.files.layout import Layout
from agentics.rundir.files.lease import later, operating
from agentics.sandbox.labels import TRIAL
from tests.fake_engine import Held, exited
from tests.runner.lab import evaluator, solution


@pytest.fixture
def going(lab):
    """A run of one task that is in the middle of its cases, in a thread of its own."""
    lab.bundle("one", cases=1)
    held = Held()
    lab.engine.behaviours["run"] = held
    with ThreadPoolExecutor(max_workers=1) as pool:
        ended = pool.submit(lab.run, "one")
        assert held.entered.wait(30)
        yield held, ended
        held.release.set()


def control(lab, *words):
    said = lab("run", *words[:1], "outputs/r", *words[1:], "--json")
    return said.status, said.json


def state(lab, trial="trial_1"):
    return lab.read(f"r/trials/{trial}/trial_state.json")


def run_status(lab):
    return lab.read("r/runtime/run_control.json")["status"]


def test_a_frozen_run_is_paused_in_every_file_and_goes_on_where_it_was(lab, going):
    held, ended = going
    status, said = control(lab, "pause", "--label", "lunch")
    assert (status, said["pause"]["pause_mode"], said["pause"]["trial_ids"]) == (0, "frozen", ["trial_1"])
    assert (said["pause"]["checkpoint_acked"], said["pause"]["stop_acked"]) == (False, False)
    assert run_status(lab) == "paused"
    assert (state(lab)["status"], state(lab)["pause_label"]) == ("paused", "lunch")
    assert lab.read("r/runtime/run_control.json")["pause"]["label"] == "lunch"
    held.release.set()
    assert not ended.done()
    assert control(lab, "resume", "--label", "tea")[1]["error"]["code"] == "resume_checkpoint_not_found"
    status, said = control(lab, "resume", "--label", "lunch")
    assert (status, said["resume"]["mode"]) == (0, "runtime_unpause")
    assert ended.result(30).exit_status == 0
    assert [event["event"] for event in lab.lines("runtime/events.jsonl")] == [
        "run_started",
        "trial_started",
        "run_paused",
        "run_resumed",
        "trial_finished",
        "run_finished",
    ]
    assert (run_status(lab), state(lab)["status"]) == ("completed", "completed")


def test_c15_a_pause_without_a_label_has_one_name_wherever_it_is_told(lab, going):
    held, ended = going
    name = control(lab, "pause")[1]["pause"]["label"]
    assert name
    assert (state(lab)["pause_label"], lab.read("r/runtime/run_control.json")["pause"]["label"]) == (name, name)
    (answer,) = (lab.home / "outputs/r/runtime/requests").glob("*.response.json")
    assert json.loads(answer.read_bytes())["label"] == name
    assert name in control(lab, "resume", "--label", "tea")[1]["error"]["hint"]
    assert control(lab, "resume", "--label", name)[0] == 0
    held.release.set()
    assert ended.result(30).exit_status == 0


def test_c15_people_are_told_the_name_of_a_pause_that_they_gave_none(lab, going):
    held, _ = going
    said = lab("run", "pause", "outputs/r")
    assert said.out == f"paused trial_1 (frozen) as {state(lab)['pause_label']}\n"
    assert control(lab, "resume")[0] == 0
    held.release.set()


@pytest.mark.parametrize("operation", ["continue", "resume"])
def test_c16_who_goes_on_with_a_run_is_recorded_with_its_arguments_and_no_secret(lab, monkeypatch, operation):
    lab.bundle("one")
    lab.engine.failures["reap"] = [EngineError("gone", code="engine_lost")]
    lab.run("one", argv=("agentics", "eval", "one"))
    path = lab.home / "outputs/r/runtime/run_control.json"
    status = "paused" if operation == "resume" else "interrupted"
    path.write_text(path.read_text().replace(f'"{run_status(lab)}"', f'"{status}"'))
    argv = ["agentics", "run", operation, "outputs/r", "--api-key", "hunter2-Zq8xW1"]
    monkeypatch.setattr(sys, "argv", argv)
    status, said = control(lab, operation, "--accept-alterations")
    assert status == 0, said
    began = [line for line in lab.lines("runtime/invocations.jsonl") if "invocation" in line]
    assert [line["invocation"]["argv"][:3] for line in began] == [["agentics", "eval", "one"], argv[:3]]
    assert lab.outcome()["invocation"]["argv"] == [*argv[:5], "***"]
    assert lab.outcome()["invocation"]["cli_args"] == {"run": "outputs/r", "accept_alterations": True}


def test_nothing_new_starts_while_a_run_is_paused(lab):
    for name in ("one", "two"):
        lab.bundle(name, cases=1)
    held = Held()
    lab.engine.behaviours["run"] = held
    with ThreadPoolExecutor(max_workers=1) as pool:
        ended = pool.submit(lab.run, "one", "two")
        assert held.entered.wait(30)
        assert control(lab, "pause")[0] == 0
        held.release.set()
        assert not (lab.home / "outputs/r/trials/trial_2/trial_state.json").exists()
        assert control(lab, "resume")[0] == 0
        assert ended.result(30).exit_status == 0
    assert [status for status, _, _ in lab.tasks()] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("pause", "--trial-id", "trial_9"), "pause_trial_not_found"),
        (("resume",), "resume_non_paused"),
        (("continue",), "run_owner_alive"),
        (("recover",), "run_owner_alive"),
    ],
)
def test_what_cannot_be_done_to_a_running_run_has_a_code_and_changes_nothing(lab, going, words, code):
    held, ended = going
    status, said = control(lab, *words)
    assert (status, said["ok"], said["error"]["code"]) == (7, False, code)
    assert (run_status(lab), state(lab)["status"]) == ("running", "running")
    held.release.set()
    assert ended.result(30).exit_status == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("pause",), "pause_non_running"),
        (("resume",), "resume_non_paused"),
        (("continue",), "continue_completed"),
        (("kill",), "kill_terminal_status"),
    ],
)
def test_what_cannot_be_done_to_a_completed_run_has_a_code(lab, words, code):
    lab.bundle("one")
    lab.run("one")
    status, said = control(lab, *words)
    assert (status, said["error"]["code"]) == (7, code)
    assert run_status(lab) == "completed"


def test_an_engine_that_cannot_freeze_leaves_the_run_running(lab, going):
    held, ended = going
    lab.engine.failures["pause"] = [EngineError("the freezer is broken", code="engine_error")]
    status, said = control(lab, "pause")
    assert (status, said["error"]["code"]) == (7, "pause_partial_failure")
    assert "the freezer is broken" in said["error"]["message"]
    assert (run_status(lab), state(lab)["status"]) == ("running", "running")
    held.release.set()
    assert ended.result(30).exit_status == 0


def test_c19_a_killed_run_is_killed_in_every_file_and_cannot_be_killed_twice(lab, going):
    _, ended = going
    status, said = control(lab, "kill")
    assert (status, said["kill"]["trial_ids"]) == (0, ["trial_1"])
    assert ended.result(30).exit_status == 8
    assert (run_status(lab), state(lab)["status"], state(lab)["exit_reason"]) == (
        "killed",
        "killed",
        "killed_by_user",
    )
    assert [(status, reason) for status, reason, _ in lab.tasks()] == [("error", "killed")]
    assert control(lab, "kill")[1]["error"]["code"] == "kill_terminal_status"
    assert control(lab, "continue")[1]["error"]["code"] == "continue_killed"


def test_c19_a_paused_run_can_be_killed(lab, going):
    _, ended = going
    assert control(lab, "pause")[0] == 0
    assert control(lab, "kill")[0] == 0
    assert ended.result(30).exit_status == 8
    assert (run_status(lab), state(lab)["status"]) == ("killed", "killed")


def test_c21_the_second_controller_at_a_time_is_told_of_the_first(lab, going):
    held, ended = going
    with operating(Layout(lab.home / "outputs" / "r"), "regrade"):
        status, said = control(lab, "pause")
        assert (status, said["error"]["code"]) == (7, "operation_in_progress")
        assert "regrade" in said["error"]["message"]
    assert control(lab, "pause")[0] == 0
    assert control(lab, "resume")[0] == 0
    held.release.set()
    assert ended.result(30).exit_status == 0


@pytest.mark.parametrize(("left_s", "status"), [(-1.0, 0), (60.0, 7)])
def test_c21_another_hosts_lease_is_taken_over_only_once_it_has_run_out(lab, left_s, status):
    lab.bundle("one")
    lab.run("one")
    path = lab.home / "outputs/r/runtime/engine_lease.json"
    lease = json.loads(path.read_bytes())
    path.write_text(json.dumps({**lease, "hostname": "elsewhere", "expires_at": later(utc_now(), left_s)}))
    said = lab("run", "recover", "outputs/r", "--json")
    assert said.status == status
    if status:
        assert said.json["error"]["code"] == "run_owner_alive"
        assert "elsewhere" in said.json["error"]["message"]
        assert lab("run", "recover", "outputs/r", "--force", "--json").status == 0
    taken = json.loads(path.read_bytes())
    assert (taken["hostname"] != "elsewhere", taken["epoch"]) == (True, lease["epoch"] + 1)


def test_c22_a_run_whose_solution_was_edited_is_not_continued_and_the_field_is_named(lab):
    lab.bundle("one")
    lab.engine.failures["reap"] = [EngineError("gone", code="engine_lost")]
    lab.run("one")
    (lab.home / "mine" / "run.sh").write_text("tac\n")
    status, said = control(lab, "continue")
    assert (status, said["error"]["code"]) == (7, "continue_experiment_changed")
    assert "/ext/solutions/mine" in said["error"]["message"]


def test_an_interrupted_run_is_continued_from_its_own_directory_alone(lab):
    for name in ("one", "two"):
        lab.bundle(name)
    solution(lab.home, "other")
    lab.engine.failures["reap"] = [EngineError("gone", code="engine_lost")]
    lab.run("one", "two", solutions=("mine", "other"), limit=2, run_id="r_LIMITED")
    said = lab("run", "continue", "outputs/r_LIMITED", "--json")
    assert said.status == 0, said.err
    assert said.json["command"] == "continue"
    assert sorted(said.json["outcomes"]) == ["mine", "other"]
    assert lab.cases_run() == 2 * 2 * 2


def test_going_on_gives_nobody_a_second_chance_at_what_has_a_verdict(lab):
    for name in ("one", "two"):
        lab.bundle(name)
    lab.engine.behaviours["separated-evaluator"] = lambda c: (
        evaluator(0)(c) if c.labels[TRIAL] == "trial_1" else exited(1)
    )
    lab.run("one", "two")
    path = lab.home / "outputs/r/runtime/run_control.json"
    path.write_text(path.read_text().replace('"completed"', '"interrupted"'))
    lab.engine.behaviours["separated-evaluator"] = evaluator()
    assert control(lab, "continue", "--accept-alterations")[0] == 1
    assert [(status, attempts) for status, _, attempts in lab.tasks()] == [("failed", 1), ("passed", 2)]


class Race:
    """One trial and one pause that meet at a moment which a seed chooses."""

    POINTS = ("before", "running", "ended", "settled", "written")

    def __init__(self, lab, seed):
        chance = random.Random(seed)
        self.lab, self.run_id = lab, f"race-{seed}"
        self.point, self.together = chance.choice(self.POINTS), chance.random() < 0.5
        self.answers = []
        self.thread = threading.Thread(target=self.pause)
        self.begun = threading.Event()

    def at(self, point):
        if point != self.point:
            return
        self.thread.start()
        self.begun.set()
        if not self.together:
            self.thread.join(0.05)

    def pause(self):
        from agentics.usecases import control_run

        try:
            control_run.pause(self.lab.home / "outputs" / self.run_id, trial_id=None, label=None, timeout_s=1)
            self.answers.append("ok")
        except AgenticsError as refused:
            self.answers.append(refused.code)


@pytest.mark.slow
@pytest.mark.seeds(200)
def test_c17_a_pause_that_races_with_the_end_of_a_trial_leaves_legal_states(lab, monkeypatch, seeds):
    from agentics.control.active_attempts import ActiveAttempts
    from agentics.runner import trial_runner as trials
    from agentics.usecases import control_run

    lab.bundle("one", cases=1)
    usual = evaluator()
    settle, finish, enter = ActiveAttempts.settle, trials.finish, ActiveAttempts.enter
    for seed in seeds:
        race = Race(lab, seed)
        monkeypatch.setattr(ActiveAttempts, "enter", lambda *a, r=race: (r.at("before"), enter(*a))[1])
        monkeypatch.setattr(
            ActiveAttempts, "settle", lambda *a, r=race: (r.at("ended"), settle(*a), r.at("settled"))[1]
        )
        monkeypatch.setattr(trials, "finish", lambda *a, r=race: (finish(*a), r.at("written"))[0])
        lab.engine.behaviours["run"] = lambda _, r=race: (r.at("running"), exited())[1]
        lab.engine.behaviours["separated-evaluator"] = usual
        with ThreadPoolExecutor(max_workers=1) as pool:
            ended = pool.submit(lab.run, "one", run_id=race.run_id)
            assert race.begun.wait(60)
            race.thread.join(60)
            root = lab.home / "outputs" / race.run_id
            if race.answers == ["ok"]:
                assert not ended.done(), seed
                assert lab.read(f"{race.run_id}/runtime/run_control.json")["status"] == "paused", seed
                assert lab.read(f"{race.run_id}/trials/trial_1/trial_state.json")["status"] == "paused", seed
                control_run.unfreeze(root, trial_id=None)
            assert ended.result(60).exit_status == 0, (seed, race.answers)
        assert race.answers[0] in ("ok", "pause_no_active_trial", "pause_non_running", "no_such_run")
        assert lab.read(f"{race.run_id}/runtime/run_control.json")["status"] == "completed"
        assert lab.read(f"{race.run_id}/trials/trial_1/trial_state.json")["status"] == "completed"


def test_c15_a_run_that_is_over_is_not_resumed_and_the_hint_names_what_works(lab):
    lab.bundle("one")
    lab.run("one")
    _, said = control(lab, "resume")
    hint = said["error"]["hint"]
    assert "run continue" not in hint
    assert "run replay" in hint
    assert control(lab, "replay", "--trial-id", "trial_1")[0] == 0
