"""The long steps of making an image, as a person sees them who waits, and as a signal ends them."""

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from agentics.errors import EngineError, Stopped
from agentics.sandbox.steps import Steps, ignore

SILENT = Steps(log=ignore)


def python(script):
    return (sys.executable, "-c", script)


def test_a_step_that_says_nothing_is_said_to_go_on_until_it_ends():
    said, twice = [], threading.Event()

    def log(line):
        said.append(line)
        if len(said) == 3:
            twice.set()

    before = threading.active_count()
    with Steps(log=log, silence_s=0.01).step("laying bricks"):
        assert twice.wait(10)
    assert said[0] == "laying bricks"
    assert all(line.startswith("still laying bricks (") for line in said[1:])
    assert threading.active_count() == before


def test_every_line_of_a_program_is_handed_on_whichever_stream_it_is_on():
    said = []
    Steps(log=ignore, output=said.append).run(python("import os; os.write(1, b'a\\n'); os.write(2, b'b\\n\\xff')"))
    assert said == ["a", "b", "\ufffd"]


def test_a_program_that_fails_is_an_error_with_its_last_words_only():
    script = "import sys; [print('line', i) for i in range(100)]; sys.exit('out of bricks')"
    with pytest.raises(EngineError) as caught:
        SILENT.run(python(script), hint="buy some")
    assert "status 1" in caught.value.message
    assert "out of bricks" in caught.value.message
    assert "line 50" not in caught.value.message
    assert (caught.value.code, caught.value.hint) == ("image_build_failed", "buy some")


def test_a_program_ends_with_its_children_once_somebody_asked_to_stop():
    interrupt, said = threading.Event(), []

    def output(line):
        said.append(int(line))
        interrupt.set()

    child = "import time; time.sleep(600)"
    script = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {child!r}]).pid, flush=True)"
    with pytest.raises(Stopped) as caught:
        Steps(log=ignore, output=output, interrupt=interrupt).run(python(f"{script}; {child}"))
    assert (caught.value.code, caught.value.exit_status) == ("interrupted", 130)
    assert gone(said[0])


def test_a_program_ends_when_the_thread_that_waits_for_it_is_interrupted():
    started = []

    class Interrupt:
        def is_set(self):
            if started:
                raise KeyboardInterrupt
            return False

    def output(line):
        started.append(int(line))

    script = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        Steps(log=ignore, output=output, interrupt=Interrupt()).run(python(script))
    assert gone(started[0])


def gone(pid):
    """Wait until a process that was killed is nothing, or a zombie of whoever inherited it."""
    state = Path(f"/proc/{pid}/stat")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError, ProcessLookupError):
            if state.read_text().rpartition(")")[2].split()[0] != "Z":
                os.sched_yield()
                continue
        return True
    return False


def test_a_call_that_blocks_is_left_alone_once_somebody_asked_to_stop():
    interrupt, never, entered = threading.Event(), threading.Event(), threading.Event()

    def blocks():
        entered.set()
        interrupt.set()
        never.wait(600)

    with pytest.raises(Stopped):
        Steps(log=ignore, interrupt=interrupt).wait_for(blocks)
    assert entered.is_set()
    never.set()


def test_what_a_call_returns_or_raises_is_what_its_caller_gets():
    def fails():
        raise LookupError("no bricks")

    assert SILENT.wait_for(lambda: 3) == 3
    with pytest.raises(LookupError, match="no bricks"):
        SILENT.wait_for(fails)
