"""The relay between plain pipes: every rule of passing bytes on, without a container."""

from __future__ import annotations

import contextlib
import os

import pytest

from agentics.sandbox import pipes
from agentics.sandbox.engine import Link
from agentics.sandbox.log import Log
from agentics.sandbox.relay import Relay, RelayEnd, Transcript


class Program:
    """The other ends of one side's pipes: what it says, what it hears."""

    def __init__(self, speaker):
        out, self.say_at = os.pipe()
        self.hear_at, self._inp = os.pipe()
        for end in (out, self._inp, self.hear_at):
            os.set_blocking(end, False)
        self._out = out
        self.end = RelayEnd(speaker, out, self._inp, self._close_stdin)

    def say(self, data):
        os.write(self.say_at, data)

    def hear(self):
        """None while there is nothing, b"" at the end of file."""
        try:
            return os.read(self.hear_at, 1 << 20)
        except BlockingIOError:
            return None

    def stop_saying(self):
        os.close(self.say_at)
        self.say_at = -1

    def stop_hearing(self):
        os.close(self.hear_at)
        self.hear_at = -1

    def _close_stdin(self):
        if self._inp >= 0:
            os.close(self._inp)
            self._inp = -1

    def close(self):
        for end in (self.say_at, self.hear_at, self._inp, self._out):
            if end >= 0:
                os.close(end)


@pytest.fixture
def pair():
    """Two programs and a function that makes their relay."""
    solution, evaluator = Program("solution"), Program("evaluator")
    made = []

    def relay(**link):
        made.append(Relay(solution.end, evaluator.end, Link(**link)))
        return made[-1]

    yield solution, evaluator, relay
    for each in (*made, solution, evaluator):
        each.close()


def settle(relay):
    """Carry until a step finds nothing to do."""
    for _ in range(200):
        relay.step(0)


def test_bytes_cross_both_ways_unchanged(pair):
    solution, evaluator, make = pair
    relay = make()
    solution.say(b"\x00\xff\r\nno newline")
    evaluator.say(b"question")
    settle(relay)
    assert (evaluator.hear(), solution.hear()) == (b"\x00\xff\r\nno newline", b"question")
    assert (relay.count("solution"), relay.count("evaluator")) == (14, 8)


def test_an_end_of_file_crosses_and_the_other_way_stays_open(pair):
    solution, evaluator, make = pair
    relay = make()
    solution.say(b"last")
    solution.stop_saying()
    settle(relay)
    assert (evaluator.hear(), evaluator.hear()) == (b"last", b"")
    evaluator.say(b"still")
    settle(relay)
    assert solution.hear() == b"still"
    assert relay.silent_since("solution") is not None
    assert relay.silent_since("evaluator") is None


def test_what_waits_for_a_slow_listener_arrives_before_the_end_of_file(pair):
    solution, evaluator, make = pair
    relay = make()
    os.set_blocking(solution.say_at, False)
    said = 0
    for _ in range(50):
        with contextlib.suppress(BlockingIOError):
            said += os.write(solution.say_at, b"x" * 65_536)
        settle(relay)
    solution.stop_saying()
    heard = b""
    while (data := evaluator.hear()) != b"":
        heard += data or b""
        settle(relay)
    assert len(heard) == said
    assert relay.count("solution") == said


def test_a_listener_that_does_not_read_stops_the_speaker_and_costs_no_memory(pair):
    solution, _, make = pair
    relay = make(transcript_bytes=1000)
    os.set_blocking(solution.say_at, False)
    said = idle = 0
    while idle < 5:
        try:
            said += os.write(solution.say_at, b"x" * 65_536)
            idle = 0
        except BlockingIOError:
            idle += 1
        settle(relay)
    assert said < 1_000_000


def test_a_listener_that_is_gone_is_tolerated_and_its_speaker_drained(pair):
    solution, evaluator, make = pair
    relay = make()
    evaluator.stop_hearing()
    for _ in range(100):
        solution.say(b"x" * 10_000)
        settle(relay)
    assert relay.count("solution") == 1_000_000
    assert not relay.over_limit("solution")


def test_beyond_the_limit_nothing_passes_and_the_speaker_is_told_on(pair):
    solution, evaluator, make = pair
    relay = make(limit_bytes=100)
    solution.say(b"a" * 100)
    settle(relay)
    assert not relay.over_limit("solution")
    solution.say(b"b" * 50)
    settle(relay)
    assert relay.over_limit("solution")
    assert not relay.over_limit("evaluator")
    assert evaluator.hear() == b"a" * 100


def test_hanging_up_gives_an_end_of_file_and_drops_what_comes(pair):
    solution, evaluator, make = pair
    relay = make()
    relay.hang_up("evaluator")
    assert evaluator.hear() == b""
    solution.say(b"to nobody")
    settle(relay)
    assert relay.count("solution") == 9


def test_a_drained_speaker_is_read_to_its_end(pair):
    solution, _, make = pair
    relay = make()
    solution.say(b"x" * 60_000)
    solution.stop_saying()
    relay.drain("solution")
    assert relay.count("solution") == 60_000
    assert relay.silent_since("solution") is not None


def test_waiting_means_to_have_read_everything_or_to_be_unable_to_speak(pair):
    solution, evaluator, make = pair
    relay = make()
    assert relay.is_waiting("evaluator")
    solution.say(b"answer")
    settle(relay)
    assert not relay.is_waiting("evaluator")
    assert evaluator.hear() == b"answer"
    assert relay.is_waiting("evaluator")


def test_the_transcript_names_speakers_in_order_and_is_cut_once(pair):
    solution, evaluator, make = pair
    relay = make(transcript_bytes=10)
    for program, data in (
        (evaluator, b"abc"),
        (solution, b"defg"),
        (solution, b"h"),
        (evaluator, b"ijklm"),
        (solution, b"n"),
    ):
        program.say(data)
        settle(relay)
    spoken = [(one.speaker, one.data) for one in relay.transcript.spoken()]
    assert spoken == [("evaluator", b"abc"), ("solution", b"defgh"), ("evaluator", b"ij")]
    assert relay.transcript.truncated


def test_a_transcript_of_single_bytes_is_bounded_too():
    transcript = Transcript(1 << 30)
    for number in range(140_000):
        transcript.add("solution" if number % 2 else "evaluator", 0.0, b"x")
    assert transcript.truncated
    assert len(transcript.spoken()) <= 1 << 16


def test_a_log_keeps_its_beginning_and_counts_the_rest():
    log = Log(cap=5, flood=10)
    for data in (b"abc", b"def", b"ghi"):
        log.add(data)
    assert (log.kept, log.seen, log.truncated, log.flooded) == (b"abcde", 9, True, False)
    log.add(b"x" * 7)
    assert log.flooded


@pytest.fixture
def fifos(tmp_path):
    made = pipes.make(tmp_path, streams=("out", "err", "in", "ready"))
    yield made
    made.close()


def test_what_is_written_before_a_program_opens_its_stdin_is_not_lost(fifos):
    os.write(fifos.inp, b"early")
    fifos.close_stdin()
    reader = os.open(fifos.directory / "in", os.O_RDONLY | os.O_NONBLOCK)
    assert fifos.let_go_of_stdin() is None
    assert (os.read(reader, 100), os.read(reader, 100)) == (b"early", b"")
    os.close(reader)


def test_a_reader_that_goes_is_seen_once_the_pipes_are_open(fifos):
    reader = os.open(fifos.directory / "in", os.O_RDONLY | os.O_NONBLOCK)
    inp = fifos.let_go_of_stdin()
    os.write(inp, b"heard")
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        os.write(inp, b"lost")


def test_pipes_leave_nothing_and_cannot_be_guessed(tmp_path):
    made = [pipes.make(tmp_path, streams=("out",)) for _ in range(3)]
    assert len({each.directory.name for each in made}) == 3
    for each in made:
        each.close()
        each.close()
    assert list(tmp_path.iterdir()) == []
