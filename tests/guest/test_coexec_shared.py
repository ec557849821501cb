"""What evaluator and solution share in a coexecuted container: streams, processes, places; each has its own part."""

import secrets

import pytest

pytestmark = pytest.mark.docker


def test_a_command_that_inherits_the_evaluators_streams_writes_to_the_solutions_log(coexecuted):
    ended = coexecuted.run("""
print("of the evaluator", flush=True)
code = "import os; os.write(1, b'out '); os.write(2, b'err '); open('/dev/stdout', 'w').write('again ')"
lent = {"stdout": None, "stderr": None, "capture_output": False}
some = "import os; os.write(1, b'out '); os.write(2, b'err ')"
say([solution(code, **lent).returncode, solution(some, **{**lent, "stdout": subprocess.PIPE}).stdout])
""")
    assert ended.said == [0, "out "]
    assert ended.log == b"out err again err "
    assert ended.stdout.splitlines() == ["of the evaluator", '[0, "out "]']


def test_the_evaluators_streams_cannot_be_reached_through_any_process(coexecuted):
    ended = coexecuted.run("""
code = '''
import os
for pid in [name for name in os.listdir("/proc") if name.isdigit()] + ["self"]:
    for name in range(10):
        try:
            found = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        if found in os.environ["EVALUATORS"]:
            print("reached", pid, name)
print("looked")
'''
given = {**os.environ, "EVALUATORS": os.readlink("/proc/self/fd/1")}
assert given["EVALUATORS"].startswith("pipe:")
say(solution(code, env=given, stderr=None, stdout=subprocess.PIPE, capture_output=False).stdout)
""")
    assert ended.said == "looked\n"


def test_a_flood_of_the_solutions_log_ends_the_command_and_not_the_evaluator(coexecuted):
    ended = coexecuted.run("""
flood = "import os\\nwhile True: os.write(1, b'x' * 65536)"
lent = {"stdout": None, "stderr": None, "capture_output": False}
say(solution(flood, **lent).returncode)
""")
    assert ended.said == -9
    assert len(ended.log) == 1 << 20
    assert ended.facts.log_truncated
    assert ended.facts.log_bytes > 64 << 20
    assert "ended a command that made the solution's log larger" in ended.stdout


THREAD = "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()"


@pytest.mark.parametrize("more", ["os.fork()", THREAD], ids=["processes", "threads"])
def test_an_evaluator_can_start_processes_while_the_solution_starts_all_that_it_may(coexecuted, more):
    ended = coexecuted.run(
        f"""
code = '''
import os, threading, time
refused, first = 0, os.getpid()
while True:
    try:
        {more}
    except (OSError, RuntimeError):
        refused += 1
        if refused == 100 and os.getpid() == first:
            print("full", flush=True)
'''
bomb = start(code, stderr=subprocess.DEVNULL)
bomb.stdout.readline()
checkers = [subprocess.Popen(["sleep", "0"]) for _ in range(10)]
say([checker.wait() for checker in checkers])
""",
        pids=64,
        processes=40,
        users=(10002, secrets.choice(range(20_000, 60_000))),  # the kernel counts over all containers
    )
    assert ended.said == [0] * 10
    (used,) = ended.facts.used_up
    assert (used.resource, used.limit) == ("processes", 40)
    assert 35 <= used.used <= 40


def test_the_limit_on_processes_is_the_lower_one_and_cannot_be_raised(coexecuted):
    ended = coexecuted.run(
        """
import resource
code = '''
import resource
try:
    resource.setrlimit(resource.RLIMIT_NPROC, (90, 90))
except (OSError, ValueError) as error:
    print(type(error).__name__)
print(resource.getrlimit(resource.RLIMIT_NPROC))
'''
lower = lambda: resource.setrlimit(resource.RLIMIT_NPROC, (20, 30))
say([solution(code).stdout.split("\\n"), solution(code, preexec_fn=lower).stdout.split("\\n")])
""",
        processes=40,
    )
    assert ended.said == [["ValueError", "(40, 40)", ""], ["ValueError", "(20, 30)", ""]]


FILLS = {
    "shm_bytes": "open('/dev/shm/a', 'wb').write(b'x' * (40 << 20))",
    "tmp_inodes": "[os.close(os.open(f'/tmp/{n}', os.O_CREAT)) for n in range(600)]",
    "tmp_bytes": "held = open('/tmp/a', 'wb', 0); held.write(b'x' * (20 << 20)); os.unlink('/tmp/a')",
    "message_queues": "[libc.mq_open(f'/q{n}'.encode(), 0o102, 0o600, ctypes.byref(small)) for n in range(200)]",
    "sysv_msg": "[libc.msgget(0, 0o1600) for n in range(17_000)]",
}


@pytest.mark.parametrize("resource", FILLS)
def test_what_the_solution_holds_too_much_of_is_reported_though_it_lives_on(coexecuted, resource):
    ended = coexecuted.run(
        f"""
code = '''
import ctypes, os, time
libc = ctypes.CDLL(None, use_errno=True)
small = (ctypes.c_long * 8)(0, 1, 1, 0)
{FILLS[resource]}
print("full", flush=True)
time.sleep(1000)
'''
running = start(code)
running.stdout.readline()
sys.exit("cannot go on")
"""
    )
    assert ended.exit_code == 1
    assert [use.resource for use in ended.facts.used_up] == [resource]


def test_what_the_evaluator_holds_itself_is_not_counted_as_the_solutions(coexecuted):
    ended = coexecuted.run("""
os.makedirs("/tmp/own/deep", mode=0o700)
for place in ("/tmp/own/deep/a", "/dev/shm/a"):
    open(place, "wb").write(b"x" * (20 << 20))
say(solution("open('/tmp/b', 'wb').write(b'x' * (2 << 20))").returncode)
""")
    assert ended.said == 0
    assert ended.facts.used_up == ()
