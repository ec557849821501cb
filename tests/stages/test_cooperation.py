"""Asking a solution to checkpoint or stop: which answers count, and what becomes of a case that stops."""

from __future__ import annotations

import json
import threading
from hashlib import sha256

import pytest

from agentics.model.evidence.trial_evidence import Checkpoint
from agentics.model.plan.trial_plan import RunCases
from agentics.pipeline.attempt_tools import Interrupted, Resume
from agentics.pipeline.cooperation import Cooperation
from tests.conftest import BUNDLES
from tests.fake_engine import conversation, mounted
from tests.stages.agents import AT, agent
from tests.stages.conftest import by_case

FIRST, SECOND = "run-0001", "run-0002"
SDK = {"integration": "sdk_control"}


@pytest.fixture
def talk() -> Cooperation:
    return Cooperation()


@pytest.fixture
def ask(talk):
    return lambda action, label="here": talk.ask(action, label=label, requested_by="lab_pause", at=AT)


def test_c15_an_answer_to_exactly_what_was_asked_counts(attempt, engine, talk, ask):
    def act(one):
        versions = ask("checkpoint")
        assert talk.active == (one.container.env["AGENTICS_RUN_NAME"],) == tuple(versions)
        assert talk.acknowledged("checkpoint", versions) == frozenset()
        one.step(0)
        assert talk.acknowledged("checkpoint", versions) == versions.keys()
        assert talk.acknowledged("stop", versions) == frozenset()

    engine.behaviours["run"] = agent(act)
    cases = attempt(cooperation=talk, **SDK).cases()
    assert [case.clean for case in cases] == [True, True]
    assert talk.active == ()


def test_c15_what_is_asked_is_numbered_and_says_who_asks(attempt, engine, talk, ask):
    seen = []

    def act(one):
        seen.append(one.asked)
        ask("checkpoint", "before lunch")
        seen.append(one.asked)
        talk.ask("continue", label=None, requested_by="run_loop", at=AT)
        seen.append(one.asked)

    engine.behaviours["run"] = agent(act)
    attempt(cooperation=talk, limit=1, **SDK).cases()
    assert [(each["seq"], each["action"], each["label"], each["requested_by"]) for each in seen] == [
        (0, "continue", None, "run_loop"),
        (1, "checkpoint", "before lunch", "lab_pause"),
        (2, "continue", None, "run_loop"),
    ]
    assert {each["schema_version"] for each in seen} == {"control_plane_v1"}


@pytest.mark.parametrize(
    "answer",
    [{"control_version": "0" * 64}, {"action_observed": "continue"}, {"action_observed": "stop"}],
    ids=["another version", "another action", "a later action"],
)
def test_c16_an_answer_to_something_else_does_not_count(attempt, engine, talk, ask, answer):
    def act(one):
        versions = ask("checkpoint")
        one.step(0, **answer)
        assert talk.acknowledged("checkpoint", versions) == frozenset()

    engine.behaviours["run"] = agent(act)
    attempt(cooperation=talk, **SDK).cases()


def test_c16_an_answer_to_the_question_before_does_not_count(attempt, engine, talk, ask):
    def act(one):
        ask("checkpoint", "early")
        old = one.version
        versions = ask("checkpoint", "late")
        one.step(0, control_version=old)
        assert talk.acknowledged("checkpoint", versions) == frozenset()
        one.step(1, control_version=f"sha256:{one.version}")
        assert talk.acknowledged("checkpoint", versions) == versions.keys()

    engine.behaviours["run"] = agent(act)
    attempt(cooperation=talk, limit=1, **SDK).cases()


def test_c16_a_mute_solution_answers_nothing_and_its_case_is_as_any_other(attempt, engine, talk, ask):
    def act(one):
        versions = ask("checkpoint")
        assert talk.acknowledged("checkpoint", versions) == frozenset()
        ask("continue")
        assert talk.acknowledged("checkpoint", versions) == frozenset()

    engine.behaviours["run"] = agent(act)
    made = attempt(cooperation=talk, **SDK)
    assert [case.clean for case in made.cases()] == [True, True]
    assert made.ledger("checkpoints") == []


def stops(ask):
    """Does a step, is asked for a checkpoint and to stop, and does both."""

    def act(one):
        ask("checkpoint")
        one.checkpoint("first", checkpoint__json='{"step": 3, "label": "here"}', data="half")
        one.step(3)
        ask("stop")
        one.step(4)

    return agent(act)


def test_c15_a_case_that_stopped_is_no_finished_case_and_its_checkpoints_are_kept(attempt, engine, talk, ask):
    engine.behaviours["run"] = by_case({FIRST: agent(lambda _: None), SECOND: stops(ask)})
    made = attempt(cooperation=talk, **SDK)
    with pytest.raises(Interrupted):
        made.cases()
    assert talk.stopped == {SECOND}
    assert [case["alias"] for case in made.ledger("cases")] == [FIRST]
    (checkpoint,) = made.ledger("checkpoints")
    assert {key: checkpoint[key] for key in ("alias", "run_name", "name", "step", "label")} == {
        "alias": SECOND,
        "run_name": "case-2",
        "name": "first",
        "step": 3,
        "label": "here",
    }
    assert {file["path"]: made.content(file["ref"]) for file in checkpoint["files"]} == {
        "checkpoint.json": b'{"step": 3, "label": "here"}',
        "data": b"half",
    }


def test_c15_no_case_starts_after_a_stop_was_asked_for(attempt, engine, talk, ask):
    engine.behaviours["run"] = by_case({FIRST: stops(ask)})
    with pytest.raises(Interrupted):
        attempt(cooperation=talk, **SDK).cases()
    assert [container.env["AGENTICS_RUN_NAME"] for container in engine.containers] == [FIRST]


def test_c17_a_case_that_ends_before_it_answers_a_stop_is_finished(attempt, engine, talk, ask):
    engine.behaviours["run"] = agent(lambda one: ask("stop") if talk.active == (SECOND,) else None)
    made = attempt(cooperation=talk, **SDK)
    assert [case.run_name for case in made.cases()] == ["case-1", "case-2"]
    assert talk.stopped == frozenset()


def test_c17_an_answer_that_came_just_before_the_end_is_still_heard(attempt, engine, talk, ask):
    versions = {}

    def act(one):
        versions.update(ask("stop"))
        one.step(0)

    engine.behaviours["run"] = agent(act)
    with pytest.raises(Interrupted):
        attempt(cooperation=talk, **SDK).cases()
    assert talk.active == ()
    assert talk.acknowledged("stop", versions) == {FIRST}


def test_c15_of_two_cases_that_stop_side_by_side_both_leave_their_checkpoint(attempt, engine, talk, ask):
    versions, together = {}, threading.Barrier(2, timeout=60)

    def act(one):
        together.wait()
        if one.container.env["AGENTICS_RUN_NAME"] == FIRST:
            versions.update(ask("stop"))
        together.wait()
        one.checkpoint("last", data="x")
        one.step(0)

    engine.behaviours["run"] = agent(act)
    made = attempt(cooperation=talk, **SDK)
    made.tools.jobs = 2
    with pytest.raises(Interrupted):
        made.cases()
    assert versions.keys() == {FIRST, SECOND} == talk.acknowledged("stop", versions) == talk.stopped
    assert {line["alias"] for line in made.ledger("checkpoints")} == {FIRST, SECOND}
    assert made.ledger("cases") == []


def test_c15_a_checkpoint_survives_that_the_run_is_told_to_end_at_once(attempt, engine, talk, ask):
    made = attempt(cooperation=talk, limit=1, **SDK)

    def act(one):
        ask("stop")
        one.checkpoint("last", data="x")
        one.step(0)
        made.tools.interrupt.set()

    engine.behaviours["run"] = agent(act)
    with pytest.raises(Interrupted):
        made.cases()
    assert [line["name"] for line in made.ledger("checkpoints")] == ["last"]


def test_asking_to_continue_takes_a_stop_back(attempt, engine, talk, ask):
    def act(one):
        ask("stop")
        ask("continue")

    engine.behaviours["run"] = agent(act)
    assert len(attempt(cooperation=talk, **SDK).cases()) == 2
    assert not talk.stop_requested


def test_c15_a_checkpoint_is_given_to_its_case_and_to_no_other(attempt, engine, talk, ask):
    engine.behaviours["run"] = by_case({FIRST: stops(ask)})
    first = attempt(cooperation=talk, **SDK)
    with pytest.raises(Interrupted):
        first.cases()
    (line,) = first.ledger("checkpoints")
    found = {}

    def look(container):
        folder = container.env.get("AGENTICS_CHECKPOINT_DIR")
        beside = {path.name for path in mounted(container, "/agentics-control").iterdir()}
        data = mounted(container, f"{folder}/data").read_bytes() if folder else None
        found[container.env["AGENTICS_RUN_NAME"]] = (data, "checkpoint" in beside)
        return agent(lambda _: None)(container)

    engine.behaviours["run"] = look
    checkpoints = {FIRST: Checkpoint.model_validate(line)}
    attempt(cooperation=Cooperation(), resume=Resume(checkpoints=checkpoints), **SDK).cases()
    assert found == {FIRST: (b"half", True), SECOND: (None, False)}


def test_a_variant_is_told_its_bindings_and_its_task_but_no_real_name(attempt, engine):
    told = {}

    def look(container):
        told.update(
            {path.name: path.read_text() for path in mounted(container, "/agentics-control").iterdir()},
            mode=mounted(container, "/agentics-control").stat().st_mode & 0o777,
        )
        return agent(lambda _: None)(container)

    engine.behaviours["run"] = look
    made = attempt(bindings={"depth": 3}, mode="official", limit=1)
    made.cases()
    assert told.pop("mode") == 0o755
    assert told.keys() == {"bindings.json", "control.json", "task.json"}
    assert json.loads(told["bindings.json"]) == {"depth": 3}
    assert json.loads(told["task.json"]) == {
        "schema_version": "case_task_v1",
        "challenge_name": "one",
        "target": "linux-arm64-cpu",
        "alias": FIRST,
    }
    assert "case-1" not in json.dumps(told)


def test_official_checkpoints_do_not_name_their_case(attempt, engine, talk, ask):
    engine.behaviours["run"] = stops(ask)
    made = attempt(cooperation=talk, mode="official", **SDK)
    with pytest.raises(Interrupted):
        made.cases()
    assert made.ledger("checkpoints")[0]["run_name"] is None
    assert "case-1" not in json.dumps(made.ledger("checkpoints"))


def test_a_finished_case_keeps_its_events_and_checkpoints_too(attempt, engine):
    def act(one):
        one.step(0)
        one.checkpoint("end", data="all")

    engine.behaviours["run"] = agent(act)
    made = attempt(limit=1, **SDK)
    (case,) = made.cases()
    assert [json.loads(line)["event_type"] for line in made.content(case.events_ref).splitlines()] == [
        "agent_step_start",
        "agent_step_end",
        "control_ack",
    ]
    assert [(each.name, each.step, len(each.files)) for each in case.checkpoints] == [("end", None, 1)]


def test_a_plain_variant_is_lent_nothing(attempt, engine, talk):
    made = attempt(cooperation=talk)
    made.cases()
    targets = {mount.target for container in engine.containers for mount in container.mounts}
    assert targets == {"/workspace", "/io", "/io/input"}
    assert not any(name.startswith("AGENTICS_C") for one in engine.containers for name in one.env)
    assert talk.active == ()


def test_nothing_of_a_room_is_left_behind(attempt, engine, talk):
    engine.behaviours["run"] = agent(lambda one: one.checkpoint("a", data="x"))
    made = attempt(cooperation=talk, **SDK)
    made.cases()
    mounted = [mount.source for one in engine.containers for mount in one.mounts if "/agentics-" in mount.target]
    assert len(mounted) == 4
    assert not any(path.exists() for path in mounted)


def test_a_session_is_lent_a_room_and_its_events_are_kept(attempt, engine):
    def converse(solution, evaluator, link):
        agent(lambda one: one.step(0))(solution)
        assert not any(mount.target.startswith("/agentics-") for mount in evaluator.mounts)
        return conversation()

    engine.converse = converse
    made = attempt(challenge=BUNDLES / "guess-the-number", bindings={"x": 1})
    session = made.run("session").evidence.session
    assert len(made.content(session.events_ref).splitlines()) == 3


@pytest.mark.parametrize("variant", [{}, {"bindings": {"x": 1}}], ids=["plain", "with a room"])
def test_a_solution_is_never_told_what_its_session_is_called(attempt, engine, variant):
    told = []

    def converse(solution, evaluator, link):
        rooms = [mount.source for mount in solution.mounts if mount.target == "/agentics-control"]
        texts = [path.read_text() for mounts in rooms for path in mounts.iterdir()]
        told.append([*solution.env.items(), *solution.argv, *texts])
        assert solution.env["AGENTICS_SESSION_NAME"] == "session-0001"
        return conversation()

    engine.converse = converse
    made = attempt(challenge=BUNDLES / "guess-the-number", **variant)
    name = made.run("session").evidence.session.session_name
    assert name == "practice"
    assert [one for one in told[0] if name in str(one)] == []


def test_whoever_polls_never_sees_half_of_what_is_asked(tmp_path, talk, ask):
    control, state = tmp_path / "control", tmp_path / "state"
    control.mkdir()
    state.mkdir()
    talk.opened(FIRST, control, state, threading.Event().is_set)
    known = {ask("checkpoint", "x" * 5000)[FIRST]}
    seen, done = set(), threading.Event()

    def poll():
        while not done.is_set():
            seen.add(sha256((control / "control.json").read_bytes()).hexdigest())

    reader = threading.Thread(target=poll)
    reader.start()
    for length in range(300):
        known.add(ask("checkpoint", "x" * (5000 - length))[FIRST])
    done.set()
    reader.join()
    assert seen
    assert seen <= known


def test_cases_that_are_asked_side_by_side_answer_for_themselves(tmp_path, talk, ask):
    for alias in (FIRST, SECOND):
        for folder in ("control", "state"):
            (tmp_path / alias / folder).mkdir(parents=True)
        assert talk.opened(alias, tmp_path / alias / "control", tmp_path / alias / "state", threading.Event().is_set)
    versions = ask("checkpoint")
    said = {"event_type": "control_ack", "seq": 0, "step_index": 0, "action_observed": "checkpoint"}
    line = json.dumps({**said, "control_version": versions[SECOND]}) + "\n"
    (tmp_path / SECOND / "state" / "events.jsonl").write_text(line)
    assert talk.acknowledged("checkpoint", versions) == {SECOND}
    assert not talk.closed(SECOND)
    assert talk.active == (FIRST,)
    assert ask("stop").keys() == {FIRST}


def test_the_options_of_a_plan_made_before_are_read_as_they_were(attempt):
    plain = attempt().tools.plan
    options = next(stage.options for stage in plain.stages if stage.name == "cases")
    assert not RunCases.model_validate(options).container.mounts_place("state")
