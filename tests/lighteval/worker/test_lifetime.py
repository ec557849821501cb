"""A worker's life: what it says of itself, that nothing of it outlives whoever started it, and what ends a session."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentics.errors import EngineError
from agentics.lighteval.exchange import Exchange
from agentics.model.job.worker_protocol import DescribeOrder, EndOrder, EvaluateOrder
from tests.lighteval.environment import ROOT, worker_python
from tests.lighteval.worker.conftest import LOOKUP, QUICK, evaluate, plugin, started

pytestmark = pytest.mark.slow
NEVER = threading.Event()


def describe(number):
    return DescribeOrder(order=number)


def gone(pid):
    """Whether a process is no more, or only waits to be noticed by whoever started it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def becomes(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.01)


def children(pid):
    said = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in said.split()]


def test_a_worker_says_what_it_can_run_and_why_not_the_rest(light):
    told = light.follow(describe, light.session())
    assert [event.type for event in told.events] == ["accepted", "environment", "done"]
    about = told.one("environment")
    assert about.versions["lighteval"] == "0.13.0"
    assert about.versions["vllm"] is None
    can = {name for name, why in about.backends.items() if why is None}
    assert can == {"dummy", "custom", "accelerate", "endpoint_litellm", "endpoint_inference_providers"}
    assert "vllm>=0.10.0" in about.backends["vllm"].replace(" ", "").replace("<0.10.2,", "")
    assert about.machine["offline"] is True
    assert about.machine["cpu_count"] == os.cpu_count()


def test_a_worker_that_may_use_the_network_says_so(worker):
    assert worker.follow(describe, worker.session()).one("environment").machine["offline"] is False


def test_sessions_do_not_wait_for_one_another(light):
    first, second = light.session(), light.session()
    assert light.follow(describe, first).of("done")
    assert light.follow(describe, second).of("done")
    assert light.follow(describe, first).one("done").order == 2


def test_a_session_ends_when_it_is_told_to_and_says_how(light):
    session = light.session()
    light.follow(describe, session)
    session.send(lambda number: EndOrder(order=number))
    becomes(lambda: session.place.small("ended.json") is not None)
    assert session.place.small("ended.json") == {"exit_code": 0}


@pytest.fixture
def mortal(tmp_path):
    """A worker of the test's own with two sessions, each waiting for its next order."""
    (tmp_path / "mortal").mkdir()
    for other in started(tmp_path / "mortal", "--no-preload"):
        for _ in range(2):
            other.follow(describe, other.session())
        assert len(children(other.process.pid)) == 2
        yield other


def test_a_worker_that_is_shut_down_frees_nothing_that_it_loaded(tmp_path):
    """It takes the interpreter seconds to do so, at the end of every job."""
    mark = tmp_path / "freed"
    (tmp_path / "sitecustomize.py").write_text(f"import atexit\natexit.register(open, {str(mark)!r}, 'w')\n")
    (tmp_path / "own").mkdir()
    for other in started(tmp_path / "own", "--no-preload", PYTHONPATH=f"{tmp_path}:{ROOT}"):
        other.follow(describe, other.session())
    assert other.process.returncode == 0
    assert not mark.exists()


def terminate(other):
    other.process.terminate()


def kill(other):
    other.process.kill()


def shut_down(other):
    other.exchange.shut_down()


def take_the_exchange_away(other):
    (other.exchange.root / "sessions").rename(other.exchange.root / "moved")


@pytest.mark.parametrize("end", [terminate, kill, shut_down, take_the_exchange_away])
def test_no_session_outlives_its_worker(mortal, end):
    pids = children(mortal.process.pid)
    end(mortal)
    mortal.process.wait(20)
    becomes(lambda: all(map(gone, pids)))


STARTER = """
import os, subprocess, sys
os.environ["AGENTICS_PARENT"] = str(os.getpid())
print(subprocess.Popen(sys.argv[1:]).pid, flush=True)
sys.stdin.read()
"""


def test_a_worker_ends_when_whoever_started_it_is_killed(tmp_path):
    exchange = Exchange.make(tmp_path / "exchange")
    argv = [worker_python(), "-m", "agentics.lighteval.entry", tmp_path / "exchange", "--no-preload"]
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    exchange.wait_ready(NEVER)
    (*_,) = exchange.session("s").carry_out(describe, NEVER)
    pids = [pid, *children(pid)]
    assert len(pids) == 2
    starter.kill()
    starter.communicate()
    becomes(lambda: all(map(gone, pids)))
    exchange.close()


STUCK = """
import os, signal
from lighteval.models.abstract_model import LightevalModel
class Stuck(LightevalModel):
    def __init__(self, config):
        self.config = config
    tokenizer = property(lambda self: None)
    add_special_tokens = property(lambda self: False)
    max_length = property(lambda self: 4096)
    def greedy_until(self, docs):
        {what}
    loglikelihood = loglikelihood_rolling = greedy_until
"""


def stuck(root, what):
    (root / "model.py").write_text(STUCK.format(what=what))
    own = plugin(root, "model", "model.py", name="stuck")
    backend = {**LOOKUP, "model_plugin": "stuck", "model_class": "Stuck"}
    return {**evaluate(backend, max_samples=2), "plugins": [QUICK[0], own]}


def test_a_session_ends_with_its_worker_even_in_the_middle_of_an_answer(mortal, tmp_path):
    mark = tmp_path / "asked"
    # As a plugin that is imported: a worker that has not loaded LightEval is there at once.
    (tmp_path / "tasks.py").write_text(f"import signal\nopen({str(mark)!r}, 'w').close()\nsignal.pause()\n")
    order = {**evaluate(LOOKUP), "plugins": [plugin(tmp_path, "task", "tasks.py", name="own")]}
    session = mortal.session()
    session.send(lambda number: EvaluateOrder.model_validate({**order, "order": number}))
    becomes(mark.exists)
    pids = children(mortal.process.pid)
    mortal.process.kill()
    mortal.process.wait(20)
    becomes(lambda: all(map(gone, pids)))


def test_a_plugin_that_hangs_is_killed_when_it_does_not_stop_and_the_worker_goes_on(light, tmp_path):
    mark, stop = tmp_path / "asked", threading.Event()
    text = f"import signal\nopen({str(mark)!r}, 'w').close()\nwhile True: signal.pause()\n"
    (tmp_path / "tasks.py").write_text(text)
    order = {**evaluate(LOOKUP), "plugins": [plugin(tmp_path, "task", "tasks.py", name="own")]}
    session = light.exchange.session("hanging", 0.1)
    told = session.carry_out(lambda number: EvaluateOrder.model_validate({**order, "order": number}), stop)
    next(told)
    becomes(mark.exists)
    stop.set()
    with pytest.raises(EngineError, match=r"did not within 0\.1 s"):
        list(told)
    becomes(lambda: session.place.small("ended.json") == {"exit_code": -9})
    assert light.follow(describe, light.session()).of("done")


@pytest.mark.parametrize(
    ("what", "how"), [("os._exit(3)", "exit code 3"), ("os.kill(os.getpid(), signal.SIGSEGV)", "signal 11")]
)
def test_a_model_that_ends_its_process_ends_the_session_and_not_the_worker(worker, tmp_path, what, how):
    with pytest.raises(EngineError, match=how) as died:
        worker.ask(stuck(tmp_path, what))
    assert died.value.code == "worker_died"
    assert worker.follow(describe, worker.session()).of("done")


def test_a_plugin_that_ends_its_process_ends_the_session_and_not_the_worker(worker, tmp_path):
    (tmp_path / "tasks.py").write_text("import os\nos._exit(4)\n")
    own = plugin(tmp_path, "task", "tasks.py", name="own")
    with pytest.raises(EngineError, match="exit code 4"):
        worker.ask({**evaluate(LOOKUP), "plugins": [own, QUICK[1]]})
    assert worker.follow(describe, worker.session()).of("done")


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("raise SystemExit(5)", "model_failed"),
        ("raise KeyError('colour')", "model_failed"),
        ("return self.nothing", "model_failed"),
        ("return ['Paris', 'Rome']", "model_failed"),
        ("return []", "wrong_number_of_answers"),
        ("raise NotImplementedError", "model_failed"),
        ("raise MemoryError", "out_of_memory"),
    ],
)
def test_a_model_that_fails_at_an_answer_is_named_as_what_failed(worker, tmp_path, what, code):
    failed = worker.ask(stuck(tmp_path, what)).one("failed")
    assert failed.code == code
    assert failed.stage == ("internal" if code == "out_of_memory" else "backend")
    assert "model.py" in (failed.traceback or "model.py")


def test_a_model_that_chooses_nothing_is_said_to_give_no_log_probabilities(worker, tmp_path):
    order = stuck(tmp_path, "raise NotImplementedError")
    failed = worker.ask({**order, "task": {**order["task"], "id": "quick_geo"}}).one("failed")
    assert (failed.stage, failed.code) == ("backend", "metric_needs_logprobs")
