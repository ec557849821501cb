"""`agentics.client` with programs that say anything: responses, errors, streams, and whoever goes away."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest

from agentics.client import Client, ClientError, Response, RunResponse
from agentics.errors import AgenticsError
from tests.client.fake import ENVELOPE, EVENTS, calls, program

pytestmark = pytest.mark.slow


@pytest.fixture
def client(tmp_path):
    """A client of the program with this body."""
    return lambda body: Client(program(tmp_path, body), cwd=tmp_path)


def refused(call):
    with pytest.raises(ClientError) as caught:
        call()
    assert isinstance(caught.value, AgenticsError)
    return caught.value


async def collected(stream):
    return [item async for item in stream]


BAD = {
    "nothing": ("sys.exit(0)", "empty_payload", 0),
    "nothing, and a status": ("sys.exit(3)", "runner_exit_nonzero", 3),
    "only white space": ("print(' \\n\\n')", "empty_payload", 0),
    "garbage": ("print('it went well')", "invalid_json", 0),
    "garbage that goes deep": ("print('[' * 100000)", "invalid_json", 0),
    "garbage, and a status": ("print('oh'); sys.exit(1)", "runner_exit_nonzero", 1),
    "bytes that are no text": ("sys.stdout.buffer.write(b'\\xff\\xfe\\n')", "invalid_json", 0),
    "JSON that is no envelope": ("say([1])", "invalid_payload", 0),
    "an envelope that does not say whether it is well": ("say({'ok': 'yes'})", "invalid_payload", 0),
    "an envelope without its run": ("say({'ok': True, 'command': 'eval'})", "invalid_payload", 0),
    "an error without a code": ("say({'ok': False, 'error': {}}); sys.exit(1)", "invalid_payload", 1),
    "an error": ("say({'ok': False, 'error': ERROR}); sys.exit(7)", "run_locked", 7),
    "a signal": ("os.kill(os.getpid(), signal.SIGKILL)", "runner_exit_nonzero", -signal.SIGKILL),
}


@pytest.mark.parametrize("bad", BAD)
def test_c29_whatever_is_wrong_has_a_code_the_exit_status_the_command_and_stderr(client, bad):
    body, code, status = BAD[bad]
    caller = client("print('what happened', file=sys.stderr, flush=True)\n" + body)
    for call in (
        lambda: caller.eval("b"),
        lambda: list(caller.run_stream("eval", "b")),
        lambda: asyncio.run(collected(caller.async_run_stream("eval", "b"))),
    ):
        error = refused(call)
        assert (error.code, error.exit_code, error.stderr) == (code, status, "what happened\n")
        assert list(error.command[1:3]) == ["eval", "b"]
    if code == "run_locked":
        assert (error.message, error.hint, error.details) == ("held", "wait", {"exit_status": 7})


def test_c29_a_program_that_is_not_there_is_spawn_failed(tmp_path):
    caller = Client(str(tmp_path / "none"))
    for call in (lambda: caller.eval("b"), lambda: next(caller.run_stream("eval"))):
        error = refused(call)
        assert (error.code, error.exit_code, error.stderr) == ("spawn_failed", None, "")
        assert "AGENTICS_BIN" in error.hint
    assert refused(lambda: Client(str(tmp_path)).eval("b")).code == "spawn_failed"


def test_the_program_is_the_option_else_what_the_environment_names_else_agentics(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTICS_BIN", "from-environment")
    assert Client("given", env={"AGENTICS_BIN": "from-env"}).binary == "given"
    assert Client(env={"AGENTICS_BIN": "from-env"}).binary == "from-env"
    assert Client().binary == "from-environment"
    monkeypatch.delenv("AGENTICS_BIN")
    assert Client().binary == "agentics"


def test_what_is_said_before_the_last_line_and_after_it_does_not_matter(client):
    assert client("print('hello')\nsay(ENVELOPE)\nprint()\nprint('  ')").eval("b").run.run_id == "r"


def test_a_policy_that_is_not_met_is_a_response(client):
    response = client("say({**ENVELOPE, 'ok': False, 'exit_code': 1, 'later': 3}); sys.exit(1)").eval("b")
    assert (response.ok, response.exit_code, response["later"]) == (False, 1, 3)
    assert response["run"].run_dir == "/r"


@pytest.mark.parametrize("body", ["say(ENVELOPE)", "sys.exit(3)"])
def test_ten_megabytes_on_stderr_hold_nothing_up_and_the_end_of_them_is_kept(client, body):
    caller = client("sys.stderr.write('x' * 10_000_000 + 'the end'); sys.stderr.flush()\n" + body)
    if "say" in body:
        assert caller.eval("b").ok
        assert isinstance(list(caller.run_stream("eval"))[-1], RunResponse)
    else:
        error = refused(lambda: caller.eval("b"))
        assert error.stderr.endswith("the end")
        assert len(error.stderr) <= 1 << 20


STREAM = "for event in EVENTS: say(event)\nsay(ENVELOPE)"


def test_c14_a_stream_is_typed_events_and_then_the_response(client):
    caller = client(STREAM)
    for items in (
        list(caller.run_stream("eval", "b", solution=["mine"])),
        asyncio.run(collected(caller.async_run_stream("eval", "b", solution=["mine"]))),
    ):
        assert [item.event for item in items[:-1]] == [event["event"] for event in EVENTS]
        assert (items[2].outcome, items[2].duration_ms) == ("success", 5)
        assert isinstance(items[-1], RunResponse)
    assert calls(caller.cwd) == [["eval", "b", "--json-stream", "--solution=mine"]] * 2


def test_events_without_an_envelope_are_told_and_then_it_is_an_error(client):
    stream = client("for event in EVENTS: say(event)\nsys.exit(9)").run_stream("eval")
    assert [next(stream).event for _ in EVENTS][-1] == "run_finished"
    error = refused(lambda: next(stream))
    assert (error.code, error.exit_code) == ("runner_exit_nonzero", 9)


def test_an_event_that_nobody_knows_is_an_invalid_payload(client):
    error = refused(lambda: list(client("say({**EVENTS[0], 'score': 1})\nsay(ENVELOPE)").run_stream("eval")))
    assert error.code == "invalid_payload"
    assert "score" in error.message


# Says its first event, waits for a word, and writes down whether it got to its end.
PATIENT = """
def stop(*_):
    open('ended', 'w').write('stopped')
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
say(EVENTS[0])
open('go').read()
try:
    for event in EVENTS[1:]: say(event)
except BrokenPipeError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
open('ended', 'w').write('by itself')
"""


async def first_of(stream):
    item = await anext(stream)
    await stream.aclose()
    return item


def leave_sync(caller, kill):
    stream = caller.run_stream("eval", kill_on_break=kill)
    assert next(stream).event == "run_started"
    stream.close()


def leave_async(caller, kill):
    first = asyncio.run(first_of(caller.async_run_stream("eval", kill_on_break=kill)))
    assert first.event == "run_started"


@pytest.mark.parametrize("leave", [leave_sync, leave_async])
def test_c14_whoever_leaves_early_leaves_the_run_to_itself(client, leave):
    caller = client(PATIENT)
    os.mkfifo(caller.cwd / "go")
    os.mkfifo(caller.cwd / "ended")
    leave(caller, kill=False)
    with (caller.cwd / "go").open("w"):
        pass
    assert (caller.cwd / "ended").read_text() == "by itself"


@pytest.mark.parametrize("leave", [leave_sync, leave_async])
def test_c14_unless_it_was_asked_to_kill_it(client, leave):
    caller = client(PATIENT)
    os.mkfifo(caller.cwd / "go")
    leave(caller, kill=True)
    assert (caller.cwd / "ended").read_text() == "stopped"


def test_a_cancelled_task_leaves_the_run_to_itself(client):
    caller = client(PATIENT)
    os.mkfifo(caller.cwd / "go")
    os.mkfifo(caller.cwd / "ended")

    async def scene():
        seen = asyncio.Event()

        async def follow():
            async for _ in caller.async_run_stream("eval"):
                seen.set()

        task = asyncio.create_task(follow())
        await seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())
    with (caller.cwd / "go").open("w"):
        pass
    assert (caller.cwd / "ended").read_text() == "by itself"


CONTROL = {
    "pause": (
        lambda c: c.pause("r", trial_id="trial_1", label="l", timeout_seconds=3).pause.pause_mode,
        {"run_id": "r", "trial_ids": ["trial_1"], "label": "l", "pause_mode": "frozen"}
        | {"checkpoint_acked": False, "stop_acked": False},
        "frozen",
        ["--trial-id=trial_1", "--label=l", "--timeout-seconds=3"],
    ),
    "resume": (
        lambda c: c.resume("r", trial_id="trial_1", label="l").resume.mode,
        {"trial_id": "trial_1", "mode": "checkpoint"},
        "checkpoint",
        ["--trial-id=trial_1", "--label=l"],
    ),
    "fork": (
        lambda c: c.fork("r", "trial_1", "step:2", bindings={"x": [1]}, dry_run=True).fork.selector,
        {"parent_trial_id": "trial_1", "selector": "step:2", "strict": False},
        "step:2",
        ["--from-trial=trial_1", "--at=step:2", "--set=x=[1]", "--dry-run"],
    ),
    "replay": (
        lambda c: c.replay("r", "trial_1").replay.replay_dir,
        {"replay_id": "1", "replay_dir": "/r/replays/1", "parent_trial_id": "trial_1", "strict": False},
        "/r/replays/1",
        ["--trial-id=trial_1"],
    ),
    "kill": (lambda c: c.kill("r").kill, {"run_id": "r"}, {"run_id": "r"}, []),
}


@pytest.mark.parametrize("verb", CONTROL)
def test_control_is_one_command_and_its_envelope_as_a_type(client, verb):
    call, content, expected, words = CONTROL[verb]
    caller = client(f"say({{'ok': True, 'command': '{verb}', '{verb}': json.loads({json.dumps(content)!r})}})")
    assert call(caller) == expected
    assert calls(caller.cwd) == [["run", verb, "r", "--json", *words]]


def test_every_other_command_is_called_as_it_is_named(client):
    caller = client("say({**ENVELOPE, 'command': sys.argv[-2]})")
    for call in (caller.recover, caller.regrade, caller.gate, caller.verify, caller.rebuild, caller.continue_):
        assert call("r").ok
    assert caller.experiment("e.toml", output_path="out").ok
    assert caller.describe(name=None).ok
    verbs = ("recover", "regrade", "gate", "verify", "rebuild", "continue")
    assert calls(caller.cwd) == [
        *(["run", verb, "r", "--json"] for verb in verbs),
        ["experiment", "run", "e.toml", "--json", "--output-path=out"],
        ["stages", "--json"],
    ]


def test_jobs_are_called_as_commands_and_a_job_says_what_its_suites_came_to(client):
    score = {"suite": "pair@2.0", "score": None, "missing_tasks": ["two|0"]}
    caller = client(f"say({{**ENVELOPE, 'command': 'job', 'suites': json.loads({json.dumps({'m': score})!r})}})")
    assert caller.job("job.json", run_id="r", answers=["outputs/old"]).suites == {"m": score}
    assert caller.job_check("job.json").ok
    assert caller.job_plan("job.json").ok
    assert caller.job_details("r", "gsm8k|5", page=2).ok
    assert caller.job_compare("old", "new", model="m").ok
    assert calls(caller.cwd) == [
        ["job", "run", "job.json", "--json", "--run-id=r", "--answers=outputs/old"],
        ["job", "check", "job.json", "--json"],
        ["job", "plan", "job.json", "--json"],
        ["job", "details", "r", "--json", "--task=gsm8k|5", "--page=2"],
        ["job", "compare", "old", "new", "--json", "--model=m"],
    ]


def test_a_response_answers_for_keys_that_this_version_does_not_know():
    response = Response.model_validate({**ENVELOPE, "gate": False})
    assert (response["gate"], response["ok"]) == (False, True)
    with pytest.raises(KeyError):
        response["none"]
