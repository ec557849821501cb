"""The state that a solution leaves is its own: nothing in it fails a case, is followed out of it, or is believed."""

from __future__ import annotations

import json
import os
import threading

import pytest

from agentics.model.evidence.hooks import HookEvent
from agentics.pipeline import cooperation
from agentics.pipeline.cooperation import Cooperation
from agentics.policy import hooks
from agentics.policy.hooks import Heard, listen
from agentics.stages import cooperation_mounts
from tests.stages.agents import AT, agent

SDK = {"integration": "sdk_control"}
SECRET = "what only the host should read"


@pytest.fixture
def left(attempt, engine):
    """The record of a case whose solution did this to its room."""

    def after(act):
        engine.behaviours["run"] = agent(act)
        made = attempt(cooperation=Cooperation(), limit=1, **SDK)
        (case,) = made.cases()
        assert case.clean
        return case

    return after


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text(SECRET)
    return folder


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "too large"])
def test_an_events_file_that_is_none_is_not_read_and_the_record_says_so(left, outside, kind, monkeypatch):
    monkeypatch.setattr(cooperation_mounts, "EVENTS_BYTES", 1000)
    monkeypatch.setattr(cooperation, "EVENTS_BYTES", 1000)

    def act(one):
        match kind:
            case "link":
                one.events.symlink_to(outside / "secret")
            case "fifo":
                os.mkfifo(one.events)
            case "directory":
                one.events.mkdir()
            case "too large":
                one.events.write_bytes(b"x" * 1001)

    case = left(act)
    assert case.events_ref is None
    assert case.events_problem == ("too large" if kind == "too large" else "not a regular file")


def test_without_an_events_file_there_is_nothing_to_say(left):
    case = left(lambda _: None)
    assert (case.events_ref, case.events_problem) == (None, None)


def test_a_state_that_is_a_link_or_locked_leads_nowhere(left, outside):
    def act(one):
        one.checkpoints.rmdir()
        one.checkpoints.symlink_to(outside.parent)
        one.events.write_text("{}\n")
        one.events.chmod(0)

    assert left(act).checkpoints == ()


@pytest.mark.parametrize("kind", ["link", "special_file", "too_many_bytes"])
def test_a_checkpoint_that_cannot_be_taken_has_no_files_and_says_why(left, outside, kind):
    def act(one):
        bad = one.checkpoint("bad", data="x")
        match kind:
            case "link":
                (bad / "way-out").symlink_to(outside / "secret")
            case "special_file":
                os.mkfifo(bad / "pipe")
            case _:
                with (bad / "sparse").open("wb") as file:
                    file.truncate(1 << 40)
        one.checkpoint("good", data="y")

    bad, good = left(act).checkpoints
    assert (bad.name, bad.files, bad.violation.kind) == ("bad", (), kind)
    assert (good.name, len(good.files), good.violation) == ("good", 1, None)
    assert SECRET not in bad.model_dump_json()


def test_checkpoints_share_one_limit(left):
    def act(one):
        for name in ("a", "b"):
            with (one.checkpoint(name) / "sparse").open("wb") as file:
                file.truncate(40 << 20)  # of 64 MiB

    first, second = left(act).checkpoints
    assert first.violation is None
    assert second.violation.kind == "too_many_bytes"


@pytest.mark.parametrize("name", [".hidden", "with space", "é", "x" * 65, "new\nline"])
def test_what_has_no_plain_name_is_no_checkpoint(left, name):
    assert left(lambda one: one.checkpoint(name, data="x")).checkpoints == ()


def test_a_link_or_a_file_among_checkpoints_is_none(left, outside):
    def act(one):
        (one.checkpoints / "link").symlink_to(outside)
        (one.checkpoints / "file").write_text("x")

    assert left(act).checkpoints == ()


def test_of_very_many_checkpoints_only_the_first_are_taken(left):
    case = left(lambda one: [one.checkpoint(f"c{n:03d}") for n in range(cooperation_mounts.MOST_CHECKPOINTS + 1)])
    assert len(case.checkpoints) == cooperation_mounts.MOST_CHECKPOINTS


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"step": -1}', '{"step": "1"}', '{"label": 5}', "[" * 100_000, '{"step": 1e400}', "\x00"]
)
def test_what_a_checkpoint_says_of_itself_is_taken_only_where_it_makes_sense(left, text):
    (checkpoint,) = left(lambda one: one.checkpoint("c", checkpoint__json=text)).checkpoints
    assert (checkpoint.step, checkpoint.label, len(checkpoint.files)) == (None, None, 1)


def line(seq, event_type="control_ack", **facts):
    if event_type == "control_ack":
        facts = {"step_index": 0, "control_version": "v", "action_observed": "checkpoint", **facts}
    return json.dumps({"event_type": event_type, "seq": seq, **facts}) + "\n"


def heard(*lines):
    return listen("".join(lines).encode(), Heard())


@pytest.mark.parametrize(
    "bad",
    [
        "\n",
        "{\n",
        "nonsense\n",
        "[" * 100_000 + "\n",
        '"control_ack"\n',
        line(0, "no_such_event"),
        line(-1),
        line("0"),
        line(0.5),
        line(1 << 60),
        line(0, action_observed="explode"),
        line(0, control_version=7),
        line(0, control_version="v" * 2000),
        line(0, step_index=-1),
        line(0, schema_version="hook_events_v9"),
    ],
)
def test_a_line_that_is_no_event_is_counted_and_harms_no_other(bad):
    said = heard(bad, line(1))
    assert said.refused == 1
    assert [ack.seq for ack in said.acks] == [1]


def test_bytes_that_are_no_text_are_a_line_like_any_other():
    assert listen(b"\xff\xfe\x00\n" + line(0).encode(), Heard()).refused == 1


def test_keys_that_we_do_not_know_are_left_alone():
    assert heard(line(0, mood="good")).refused == 0


def test_a_torn_last_line_is_heard_once_it_is_whole():
    whole = line(0) + line(1)
    for cut in range(len(line(0)), len(whole)):
        first = listen(whole[:cut].encode(), Heard())
        assert [ack.seq for ack in first.acks] == [0]
        assert first.refused == 0
        assert listen(whole.encode(), first) == heard(whole)


def test_a_file_that_was_made_shorter_says_nothing_new():
    before = heard(line(0), line(1))
    assert listen(line(5).encode(), before) == before


def test_a_file_of_too_many_lines_is_not_heard_to_its_end(monkeypatch):
    monkeypatch.setattr(hooks, "MOST_LINES", 3)
    said = heard(*(line(seq) for seq in range(5)))
    assert len(said.acks) == 3
    assert listen("".join(line(seq) for seq in range(9)).encode(), said) == said


def started(seq, step):
    return line(seq, "agent_step_start", step_index=step)


def ended(seq, step):
    return line(seq, "agent_step_end", step_index=step)


def test_steps_in_order_are_all_heard():
    said = heard(
        started(0, 4),
        line(1, "model_call_end", tokens=5),
        line(2, "tool_call_end"),
        line(3, "error", message="x"),
        ended(4, 4),
        line(5, step_index=4),
        started(6, 5),
        ended(7, 5),
        line(8, step_index=5, action_observed="stop"),
    )
    assert (said.refused, len(said.acks), said.order.stopped) == (0, 2, True)


@pytest.mark.parametrize(
    ("before", "bad"),
    [
        ([line(3)], line(3)),
        ([line(3)], line(2)),
        ([started(0, 0)], started(1, 1)),
        ([started(0, 0)], ended(1, 1)),
        ([], ended(0, 0)),
        ([started(0, 0), ended(1, 0)], started(2, 1)),
        ([started(0, 0), ended(1, 0)], line(2, step_index=1)),
        ([started(0, 0), ended(1, 0), line(2)], started(3, 0)),
        ([line(0, action_observed="stop")], started(1, 1)),
    ],
    ids=[
        "a seq twice",
        "a seq that falls",
        "a step in a step",
        "the end of another step",
        "the end of no step",
        "a step before the answer that is due",
        "an answer for another step",
        "a step twice",
        "a step after a stop",
    ],
)
def test_what_breaks_the_order_is_not_heard(before, bad):
    said = heard(*before, bad)
    assert said.refused == 1
    assert said.order == heard(*before).order
    assert said.acks == heard(*before).acks
    assert isinstance(hooks.follow(said.order, HookEvent.model_validate_json(bad).root), str)


def test_what_was_refused_is_counted_over_all_cases(tmp_path):
    talk = Cooperation()
    for alias in ("a", "b"):
        (tmp_path / alias).mkdir()
        (tmp_path / alias / "events.jsonl").write_text("nonsense\n")
        talk.opened(alias, tmp_path / alias, tmp_path / alias, threading.Event().is_set)
    talk.acknowledged("stop", talk.ask("stop", label=None, requested_by="run_loop", at=AT))
    assert talk.refused == 2
