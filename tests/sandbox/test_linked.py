"""Two containers that talk: every edge of their pipes, on the real engine, over FIFOs and over attach."""

from __future__ import annotations

import pytest

from agentics.sandbox.engine import Link

pytestmark = pytest.mark.docker

MIB = 1 << 20
ECHO = 'while read line; do echo "echo $line"; done'


def py(text):
    return ("python3", "-c", text)


def test_a_conversation_is_carried_and_kept(either_engine, linked):
    ended = linked(either_engine, ECHO, "echo one; read a; echo two; read b; [ \"$a $b\" = 'echo one echo two' ]")
    assert (ended.evaluator.ended, ended.evaluator.exit_code) == ("exited", 0)
    assert (ended.solution.ended, ended.solution.exit_code) == ("exited", 0)
    assert [(one.speaker, one.data) for one in ended.transcript] == [
        ("evaluator", b"one\n"),
        ("solution", b"echo one\n"),
        ("evaluator", b"two\n"),
        ("solution", b"echo two\n"),
    ]
    assert (ended.solution_bytes, ended.evaluator_bytes) == (18, 8)
    assert ended.first_to_fail is None
    assert not ended.transcript_truncated


def test_standard_error_is_each_sides_own_log(either_engine, linked):
    ended = linked(either_engine, "echo from solution >&2", "echo from evaluator >&2; cat")
    assert ended.solution.log == b"from solution\n"
    assert ended.evaluator.log == b"from evaluator\n"
    assert ended.transcript == ()


def test_a_solution_that_exits_at_once_gives_the_evaluator_an_end_of_file(either_engine, linked):
    ended = linked(either_engine, "exit 3", "cat; exit 0")
    assert (ended.solution.exit_code, ended.evaluator.exit_code) == (3, 0)
    assert (ended.first_to_end, ended.first_to_fail) == ("solution", "solution")


def test_a_command_that_is_not_found_is_an_exit(either_engine, linked):
    ended = linked(either_engine, ("no-such-command", "x"), "cat; exit 1")
    assert (ended.solution.ended, ended.solution.exit_code) == ("exited", 127)
    assert ended.first_to_fail == "solution"


def test_an_evaluator_that_finishes_first_gives_the_solution_an_end_of_file(either_engine, linked):
    ended = linked(either_engine, "cat >/dev/null; exit 0", "echo question; exit 0")
    assert (ended.solution.ended, ended.solution.exit_code) == ("exited", 0)
    assert ended.first_to_end == "evaluator"
    assert ended.first_to_fail is None


def test_a_solution_that_stays_is_killed_after_the_grace_and_that_is_no_failure(either_engine, linked):
    ended = linked(either_engine, "sleep 60", "exit 0", link=Link(grace_s=0.5))
    assert ended.solution.ended == "killed"
    assert ended.first_to_fail is None
    assert ended.solution.wall_s < 15


def test_an_evaluator_that_fails_is_to_blame_though_the_solution_dies_of_it(either_engine, linked):
    ended = linked(either_engine, "read x || exit 9; read y || exit 8", "echo x; exit 5", link=Link(grace_s=5))
    assert ended.solution.exit_code == 8
    assert ended.evaluator.exit_code == 5
    assert ended.first_to_fail == "evaluator"


def test_a_flood_is_cut_at_the_limit_and_its_speaker_killed(either_engine, linked):
    ended = linked(either_engine, "cat /dev/zero", "cat >/dev/null; exit 0", link=Link(limit_bytes=4 * MIB))
    assert ended.solution.ended == "output_limit"
    assert ended.evaluator.exit_code == 0
    assert ended.first_to_fail == "solution"
    assert len(ended.transcript[0].data) <= 1 * MIB
    assert ended.transcript_truncated


def test_an_evaluator_that_floods_is_killed_and_blamed(either_engine, linked):
    ended = linked(either_engine, "cat >/dev/null", "cat /dev/zero", link=Link(limit_bytes=4 * MIB))
    assert ended.evaluator.ended == "output_limit"
    assert ended.first_to_fail == "evaluator"


def test_a_flood_to_a_peer_that_never_reads_stops_in_the_pipe(either_engine, linked):
    ended = linked(
        either_engine,
        "cat /dev/zero",
        "echo go; sleep 60",
        link=Link(),
        solution_limits={"timeout_s": 2.0},
        evaluator_limits={"timeout_s": 4.0},
    )
    assert ended.solution.ended == "timed_out"
    assert ended.solution.exit_code == 124
    assert ended.evaluator.ended == "timed_out"
    assert ended.first_to_fail == "solution"
    assert ended.solution_bytes < 8 * MIB


def test_five_megabytes_to_a_solution_that_never_reads_hang_nobody(either_engine, linked):
    talk = "import sys; sys.stdout.write('x' * 5_000_000); sys.stdout.flush()"
    ended = linked(either_engine, "sleep 1; exit 0", py(f"try:\n {talk}\nexcept BrokenPipeError:\n pass"))
    assert ended.solution.exit_code == 0
    assert ended.evaluator.ended == "exited"
    assert ended.first_to_fail is None or ended.first_to_fail == "evaluator"
    assert ended.evaluator_bytes >= 1


def test_standard_output_that_is_closed_is_an_end_of_file_though_the_program_lives_on(engine, linked):
    ended = linked(engine, 'echo last; exec >&-; read word; echo "heard $word" >&2', "cat >&2; echo again; exit 0")
    assert ended.evaluator.log == b"last\n"
    assert ended.solution.log == b"heard again\n"
    assert ended.first_to_fail is None


def test_a_solution_that_closes_its_standard_input_breaks_nobody(engine, linked):
    ended = linked(
        engine,
        "exec <&-; echo closed; sleep 1; echo done",
        py(
            "import sys\nsys.stdin.readline()\ntry:\n for _ in range(9999): print('x' * 999, flush=True)\n"
            "except BrokenPipeError: print('broken', file=sys.stderr)\n"
            "print(sys.stdin.readline(), end='', file=sys.stderr)\nsys.stdout = None"
        ),
    )
    assert ended.solution.exit_code == 0
    assert ended.evaluator.log.endswith(b"done\n")


def test_dev_stdout_can_be_opened_again_by_a_child(engine, linked):
    ended = linked(
        engine,
        "sh -c 'echo through /dev/stdout >/dev/stdout'; stat -L -c %F /dev/stdin /dev/stdout >&2",
        'read line; echo "$line" >&2',
    )
    assert ended.evaluator.log == b"through /dev/stdout\n"
    assert ended.solution.log == b"fifo\nfifo\n"


def test_the_pipes_cannot_be_tampered_with(engine, linked):
    ended = linked(
        engine,
        "cd /.io; touch new; rm -f in; mv out in2; mkfifo x; chmod 777 .; ln in hard; ls -A | sort | tr '\\n' ' ' >&2",
        "cat >/dev/null",
    )
    complaints, listing = ended.solution.log.decode().strip().rsplit("\n", 1)
    assert listing.split() == ["err", "in", "out", "ready"]
    assert len(complaints.splitlines()) == 6


def test_what_was_said_before_a_crash_still_arrives(either_engine, linked):
    ended = linked(either_engine, "head -c 300000 /dev/zero; kill -9 $$", "wc -c >&2; exit 0")
    assert ended.evaluator.log.strip() == b"300000"
    assert (ended.solution.exit_code, ended.solution.signal) == (137, 9)
    assert ended.first_to_fail == "solution"


def test_the_solutions_clock_starts_with_the_first_byte_it_is_sent(engine, linked):
    ended = linked(
        engine,
        "read x; echo answer",
        'sleep 3; echo question; read a; [ "$a" = answer ]',
        solution_limits={"timeout_s": 1.5},
    )
    assert (ended.solution.ended, ended.solution.exit_code) == ("exited", 0)
    assert ended.evaluator.exit_code == 0
    assert ended.solution.wall_s < 1.5


def test_a_solution_beyond_its_limit_is_killed_and_the_evaluator_finishes(either_engine, linked):
    ended = linked(
        either_engine, "sleep 60", "echo go; cat; echo verdict >&2; exit 0", solution_limits={"timeout_s": 1.0}
    )
    assert ended.solution.ended == "timed_out"
    assert (ended.evaluator.exit_code, ended.evaluator.log) == (0, b"verdict\n")
    assert ended.first_to_fail == "solution"


def test_an_evaluator_out_of_time_while_it_waits_for_a_living_solution_is_told_apart(either_engine, linked):
    ended = linked(
        either_engine, "sleep 60", "echo go; cat", evaluator_limits={"timeout_s": 2.0}, link=Link(grace_s=0.2)
    )
    assert ended.evaluator.ended == "timed_out"
    assert ended.evaluator_waiting
    assert ended.solution.ended == "killed"


def test_an_evaluator_out_of_time_while_it_computes_is_not_waiting(either_engine, linked):
    ended = linked(
        either_engine,
        "sleep 60",
        "echo go; while :; do :; done",
        evaluator_limits={"timeout_s": 2.0},
        link=Link(grace_s=0.2),
    )
    assert ended.evaluator.ended == "timed_out"
    assert not ended.evaluator_waiting
    assert ended.first_to_fail == "evaluator"


def test_an_evaluator_that_sleeps_on_unread_answers_is_not_waiting(engine, linked):
    ended = linked(
        engine,
        "echo answer; sleep 60",
        "echo go; sleep 60",
        evaluator_limits={"timeout_s": 2.0},
        link=Link(grace_s=0.2),
    )
    assert not ended.evaluator_waiting


def test_an_evaluator_that_waits_for_a_dead_solution_is_not_waiting_for_it(engine, linked):
    ended = linked(engine, "exit 0", "sleep 60", evaluator_limits={"timeout_s": 1.5})
    assert not ended.evaluator_waiting
    assert ended.first_to_fail == "evaluator"


def test_a_flood_on_standard_error_is_cut_and_in_the_end_killed(engine, linked):
    ended = linked(engine, "cat /dev/zero >&2", "cat; exit 0", solution_limits={"log_bytes": 1000, "timeout_s": 60.0})
    assert ended.solution.ended == "output_limit"
    assert len(ended.solution.log) == 1000
    assert ended.solution.log_truncated


def test_nothing_is_left_of_a_session_that_could_not_start(engine, container):
    from agentics.errors import EngineError

    mine = {"org.agentics.test": "half"}
    with pytest.raises(EngineError) as caught:
        engine.run_linked(
            container("sleep 60", stdio="pipe", labels=mine),
            container("sleep 60", stdio="pipe", labels=mine, image="sha256:" + "0" * 64),
            Link(),
        )
    assert caught.value.code == "image_missing"
    engine.drain()
    assert engine.remove(mine) == 0
