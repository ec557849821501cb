"""The supervisor of coexecuted containers keeps its promises to an honest evaluator and an honest solution."""

import json
import subprocess

import pytest

from agentics.model.evidence.trial_evidence import SharedUse

pytestmark = pytest.mark.docker


def test_the_container_ends_with_the_evaluators_exit_code(coexecuted):
    ended = coexecuted.run("sys.exit(5)")
    assert ended.exit_code == 5
    assert ended.evaluator == {"exit_code": 5}


def test_a_killed_evaluator_is_mirrored_as_128_plus_the_signal(coexecuted):
    ended = coexecuted.run("os.kill(os.getpid(), signal.SIGSEGV)")
    assert ended.exit_code == 139
    assert ended.evaluator == {"signal": 11}


def test_an_evaluator_that_only_imports_the_solution_runs_as_before_and_the_facts_say_so(coexecuted):
    ended = coexecuted.run("open('/output/result.json', 'w').write('{}'); say(os.getresuid() + os.getresgid())")
    assert ended.said == [10002] * 6
    assert ended.facts == SharedUse(left_behind=False)


def test_an_evaluator_that_cannot_be_started_is_told_from_one_that_failed(coexecuted):
    ended = coexecuted.run_argv(coexecuted.supervisor("no-such-evaluator"))
    assert ended.exit_code == 127
    assert "cannot run the evaluator 'no-such-evaluator'" in ended.stdout


def test_neither_uid_keeps_a_capability_a_group_or_a_way_to_more(coexecuted):
    ended = coexecuted.run("""
read = "import os; print(os.getresuid(), os.getresgid(), os.getgroups()); print(open('/proc/self/status').read())"
say([subprocess.run(["python3", "-c", read], capture_output=True, text=True).stdout, solution(read).stdout])
""")
    for uid, text in zip((10002, 10001), ended.said, strict=True):
        ids, *lines = text.splitlines()
        status = dict(line.split(":", 1) for line in lines if line)
        assert ids in (f"{(uid,) * 3} {(uid,) * 3} []", f"{(uid,) * 3} {(uid,) * 3} [{uid}]")
        assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert status["NoNewPrivs"].strip() == "1"


def test_a_command_gets_the_callers_streams_directory_and_environment_but_nothing_of_the_platforms(coexecuted):
    ended = coexecuted.run("""
code = '''
import json, os, sys
print(json.dumps([sys.stdin.read(), os.getcwd(), dict(os.environ), os.listdir("/proc/self/fd")]))
'''
done = solution(code, input="question", env={**os.environ, "ASKED": "yes"})
say([json.loads(done.stdout), done.stderr, done.returncode])
""")
    (stdin, cwd, env, descriptors), stderr, exit_code = ended.said
    assert (stdin, cwd, stderr, exit_code) == ("question", "/tmp", "", 0)
    assert env["ASKED"] == "yes"
    assert (env["HOME"], env["TMPDIR"]) == ("/tmp", "/tmp")
    assert not [name for name in env if name.startswith("AGENTICS_")]
    assert len(descriptors) == 4  # its three streams, and the one that lists them


def test_the_launcher_ends_as_the_command_ended(coexecuted):
    ended = coexecuted.run("""
ways = [
    solution("raise SystemExit(7)"),
    solution("import os; os.kill(os.getpid(), 11)"),
    solution("import os; os.kill(os.getpid(), 9)"),
    subprocess.run([*LAUNCH, "no-such-command"], cwd="/tmp", capture_output=True),
    subprocess.run([*LAUNCH, "/etc/passwd"], cwd="/tmp", capture_output=True),
]
say([way.returncode for way in ways])
""")
    assert ended.said == [7, -11, -9, 127, 126]
    assert ended.facts.runs == 5


def test_a_command_runs_in_the_workspace_where_the_evaluator_chose_no_directory_or_one_that_is_closed_to_it(coexecuted):
    ended = coexecuted.run("""
os.mkdir("/output/copy", 0o700)
os.mkdir("/tmp/open", 0o755)
where = "import os; print(os.getcwd())"
say([solution(where, cwd=given).stdout.strip() for given in (None, "/challenge", "/output/copy", "/tmp/open")])
""")
    assert ended.said == ["/workspace", "/workspace", "/workspace", "/tmp/open"]


def test_the_log_says_which_command_could_not_be_started_though_the_evaluator_throws_it_away(coexecuted):
    ended = coexecuted.run("""
say(subprocess.run([*LAUNCH, "no-such-command"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode)
""")
    assert ended.said == 127
    assert "agentics: cannot run 'no-such-command' in '/workspace' as the solution: " in ended.stdout


def test_the_callers_resource_limits_hold_for_the_command(coexecuted):
    ended = coexecuted.run("""
import resource
limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 2000))
say(solution("import resource; print(resource.getrlimit(resource.RLIMIT_FSIZE))", preexec_fn=limit).stdout)
""")
    assert ended.said == "(1000, 2000)\n"


def test_a_command_that_closes_its_stdout_and_lives_on_is_seen_to_have_closed_it(coexecuted):
    ended = coexecuted.run("""
running = start("import os, time; os.write(1, b'bye'); os.close(1); time.sleep(1000)")
said = running.stdout.read().decode()
running.terminate()
say([said, running.wait(), living(10001)])
""")
    assert ended.said == ["bye", -15, []]


def test_terminating_the_launcher_ends_the_command_before_it_ends_itself(coexecuted):
    ended = coexecuted.run("""
def terminated(number):
    running = start("import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(1000)")
    running.stdout.readline()
    running.send_signal(number)
    return [running.wait(), living(10001)]
say([terminated(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)])
""")
    assert ended.said == [[-15, []], [-2, []], [-1, []]]


def test_killing_the_launcher_ends_the_command_too(coexecuted):
    ended = coexecuted.run("""
running = start("import time; print(1, flush=True); time.sleep(1000)")
running.stdout.readline()
running.kill()
rest = running.stdout.read()  # ends when nobody holds the other end
say([rest.decode(), running.wait()])
""")
    assert ended.said == ["", -9]


def test_commands_run_side_by_side_and_the_end_of_one_does_not_end_the_other(coexecuted):
    ended = coexecuted.run("""
first, second = (start("print(input(), flush=True); input()") for _ in range(2))
first.stdin.write(b"a\\n"); first.stdin.flush(); first.stdout.readline()
first.terminate(); first.wait()
out, _ = second.communicate(b"b\\n\\n")
say([out.decode(), second.returncode])
""")
    assert ended.said == ["b\n", 0]


def test_a_term_signal_to_the_container_reaches_the_evaluator(coexecuted):
    evaluator = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
say("ready")
signal.pause()
"""
    source = coexecuted.supervisor("python3", "-c", f"{_prelude()}{evaluator}")
    command = coexecuted.command()
    name = next(word for word in command if word.startswith("--name=")).removeprefix("--name=")
    with subprocess.Popen([*command, *source], stdout=subprocess.PIPE, text=True) as running:
        assert json.loads(running.stdout.readline()) == "ready"
        subprocess.run(["docker", "kill", "--signal=TERM", name], check=True, capture_output=True)
        assert running.wait(timeout=60) == 9


def _prelude():
    return "import json, signal, sys\ndef say(value): print(json.dumps(value), flush=True)\n"


@pytest.mark.parametrize("users", [(10001, 10001), (0, 10001), (10002, 0), (10002, 65533)])
def test_uids_that_would_not_separate_anybody_are_refused(coexecuted, users):
    ended = coexecuted.run_argv(coexecuted.supervisor("true", users=users))
    assert ended.exit_code == 2
