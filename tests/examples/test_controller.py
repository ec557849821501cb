"""examples/controller: what it does to a run that loses, and to one that wins, as calls of the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.fake import calls, program

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONTROLLER = ROOT / "examples" / "controller" / "controller.py"
# An experiment whose third trial waits until somebody resumes or kills the run.
BODY = """
from pathlib import Path
run, verb = Path('run').absolute(), sys.argv[2]

def trial(n, outcome):
    status = 'completed' if outcome else 'running'
    facts = {'trial_id': f'trial_{n}', 'attempt': 1}
    say({**EVENTS[1], 'run_dir': str(run), **facts, 'seq': 2 * n})
    if outcome:
        say({**EVENTS[2], 'run_dir': str(run), **facts, 'seq': 2 * n + 1, 'outcome': outcome})

def end(status, code):
    say({**EVENTS[3], 'run_dir': str(run), 'seq': 99, 'status': status})
    say({**ENVELOPE, 'ok': not code, 'exit_code': code, 'run': {'run_id': 'r', 'run_dir': str(run)}})
    sys.exit(code)

if verb == 'run':
    outcomes = json.loads(open(sys.argv[3]).read())
    for n, outcome in enumerate(outcomes, 1): trial(n, outcome)
    if None in outcomes:
        end('killed', 8) if open('go').read() == 'kill' else end('completed', 0)
    end('completed', 0)
elif verb == 'pause':
    if Path('ended').exists():
        say({'ok': False, 'error': {'code': 'pause_non_running', 'message': 'it has ended'}})
        sys.exit(1)
    mode = Path('mode').read_text()
    say({'ok': True, 'command': 'pause', 'pause': {'run_id': 'r', 'trial_ids': ['trial_3'], 'label': 'losing',
         'pause_mode': mode, 'checkpoint_acked': mode == 'cooperative', 'stop_acked': mode == 'cooperative'}})
elif verb == 'fork':
    place = run / 'forks' / 'f1' / 'trial_1'
    place.mkdir(parents=True)
    (place / 'result.json').write_text(json.dumps({'outcome': Path('fork').read_text()}))
    say({'ok': True, 'command': 'fork', 'fork': {'fork_id': 'f1', 'fork_dir': str(place.parent),
         'parent_trial_id': 'trial_2', 'selector': 'step:0', 'strict': False}})
elif verb == 'resume':
    say({'ok': True, 'command': 'resume', 'resume': {'trial_id': 'trial_3', 'mode': 'restart'}})
    open('go', 'w').write('resume')
elif verb == 'kill':
    say({'ok': True, 'command': 'kill', 'kill': {}})
    open('go', 'w').write('kill')
"""
WORDS = ("a.json", "--patience", "2", "--set", "t=0", "--set", "name=x")
PAUSED = ["run", "pause", "--json", "--label=losing"]
FORKED = ["run", "fork", "--json", "--from-trial=trial_2", "--at=step:0", "--set=t=0", '--set=name="x"']


@pytest.fixture
def controlled(tmp_path):
    """Runs the controller on trials with these outcomes; its steps, exit status, and the commands it called."""

    def through(*outcomes, mode="frozen", fork="failure", ended=False):
        os.mkfifo(tmp_path / "go")
        files = {"a.json": json.dumps(outcomes), "mode": mode, "fork": fork, **({"ended": ""} if ended else {})}
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "AGENTICS_BIN": program(tmp_path, BODY)}
        argv = [sys.executable, str(CONTROLLER), *WORDS]
        done = subprocess.run(
            argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stderr == ""
        steps = [json.loads(line)["step"] for line in done.stdout.splitlines()]
        called = [[word for word in words if word != str(tmp_path / "run")] for words in calls(tmp_path)]
        return steps, done.returncode, called

    return through


def test_a_variant_that_loses_is_paused_forked_and_killed(controlled):
    steps, status, called = controlled("failure", "failure", None)
    assert (steps, status) == (["paused", "forked", "killed", "ended"], 1)
    assert called == [
        ["experiment", "run", "a.json", "--json-stream", "--output-path=outputs"],
        PAUSED,
        FORKED,
        ["run", "kill", "--json"],
    ]


@pytest.mark.parametrize("mode", ["frozen", "cooperative"])
def test_where_the_fork_does_better_the_run_goes_on(controlled, mode):
    steps, status, called = controlled("failure", "failure", None, mode=mode, fork="success")
    assert (steps, status) == (["paused", "forked", "resumed", "ended"], 0)
    assert called[1:] == [PAUSED, FORKED, ["run", "resume", "--json"]]


def test_a_success_forgives_what_was_lost_before_it(controlled):
    steps, status, called = controlled("failure", "success", "failure")
    assert (steps, status, len(called)) == (["ended"], 0, 1)


def test_a_run_that_ends_before_it_is_paused_is_left_alone(controlled):
    steps, status, called = controlled("failure", "failure", ended=True)
    assert (steps, status) == (["not paused", "ended"], 0)
    assert called[1:] == [PAUSED]
