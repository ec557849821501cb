"""The long steps of making an image, as whoever waits for them sees them."""

import sys
import threading

import pytest

from agentics.errors import EngineError
from agentics.sandbox.steps import run, step


def test_a_step_that_says_nothing_is_said_to_go_on_until_it_ends():
    said, twice = [], threading.Event()

    def log(line):
        said.append(line)
        if len(said) == 3:
            twice.set()

    before = threading.active_count()
    with step(log, "laying bricks", silence_s=0.01):
        assert twice.wait(10)
    assert said[0] == "laying bricks"
    assert all(line.startswith("still laying bricks (") for line in said[1:])
    assert threading.active_count() == before


def test_every_line_of_a_program_is_handed_on_whichever_stream_it_is_on():
    said = []
    run((sys.executable, "-c", "import os; os.write(1, b'a\\n'); os.write(2, b'b\\n\\xff')"), said.append)
    assert said == ["a", "b", "\ufffd"]


def test_a_program_that_fails_is_an_error_with_its_last_words_only():
    script = "import sys; [print('line', i) for i in range(100)]; sys.exit('out of bricks')"
    with pytest.raises(EngineError) as caught:
        run((sys.executable, "-c", script), lambda line: None, hint="buy some")
    assert "status 1" in caught.value.message
    assert "out of bricks" in caught.value.message
    assert "line 50" not in caught.value.message
    assert (caught.value.code, caught.value.hint) == ("image_build_failed", "buy some")
