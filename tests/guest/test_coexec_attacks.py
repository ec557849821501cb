"""Participant code under the launcher tries what participants try; the evaluator must not even notice."""

import pytest

pytestmark = pytest.mark.docker

# Writes its verdict only after the attack, as evaluators do, and reads it back.
VERDICT = """
def verdict():
    open("/output/result.json", "w").write("HONEST")
    return open("/output/result.json").read()
"""


def test_private_places_can_be_neither_listed_nor_read_nor_written(coexecuted):
    ended = coexecuted.run("""
code = '''
import json, os
got = []
for place in ("/challenge", "/setup", "/metadata", "/output"):
    for name, attempt in {
        "list": lambda: os.listdir(place),
        "read": lambda: open(place + "/private.json").read(),
        "write": lambda: open(place + "/result.json", "w").write("FORGED"),
        "link": lambda: os.symlink("/etc/passwd", place + "/result.json"),
        "hard link": lambda: os.link("/etc/passwd", place + "/result.json"),
        "rename": lambda: os.rename(place, "/tmp/stolen"),
        "mode": lambda: os.chmod(place, 0o777),
        "owner": lambda: os.chown(place, 10001, 10001),
        "enter": lambda: os.chdir(place),
    }.items():
        try:
            attempt()
            got.append([place, name])
        except OSError:
            pass
print(json.dumps(got))
'''
done = solution(code)
say([json.loads(done.stdout), sorted(os.listdir("/output"))])
""")
    assert ended.said == [[], ["tmp"]]


def test_nobody_but_itself_can_be_signalled(coexecuted):
    ended = coexecuted.run(
        VERDICT
        + """
code = '''
import json, os, signal, sys
evaluator, supervisor = int(sys.argv[1]), os.getppid()
reached = []
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG):
    for target in (1, supervisor, evaluator, -evaluator, -supervisor):
        try:
            os.kill(target, number)
            reached.append([target, number])
        except OSError:
            pass
    try:
        os.kill(-1, number)  # spares only the caller
    except ProcessLookupError:
        pass
print(json.dumps(reached))
'''
done = solution(code, os.getpid())
say([json.loads(done.stdout), verdict()])
"""
    )
    assert ended.said == [[], "HONEST"]


def test_the_memory_files_and_environment_of_evaluator_and_supervisor_stay_closed(coexecuted):
    ended = coexecuted.run("""
code = '''
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
opened = []
for target in (int(sys.argv[1]), os.getppid(), 1):
    for name in ("environ", "mem", "maps", "fd", "root", "cwd", "exe", "map_files", "task", "syscall", "stack", "io"):
        path = f"/proc/{target}/{name}"
        for attempt in (os.listdir, os.readlink, lambda path: open(path, "rb").read(1), lambda path: open(path, "r+b")):
            try:
                attempt(path)
                opened.append([target, name])
            except OSError:
                pass
    for request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
        if libc.ptrace(request, target, 0, 0) == 0:
            opened.append([target, "ptrace"])
    class Part(ctypes.Structure):
        _fields_ = [("at", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    buffer = ctypes.create_string_buffer(8)
    here = Part(ctypes.addressof(buffer), 8)
    for call in (libc.process_vm_readv, libc.process_vm_writev):
        if call(target, ctypes.byref(here), 1, ctypes.byref(here), 1, 0) >= 0:
            opened.append([target, call.__name__])
    for change in (lambda: os.setpriority(os.PRIO_PROCESS, target, 19), lambda: os.sched_setaffinity(target, {0})):
        try:
            change()
            opened.append([target, "scheduling"])
        except OSError:
            pass
print(json.dumps(opened))
'''
done = solution(code, os.getpid())
say([[name for _, name in json.loads(done.stdout)], done.stderr])
""")
    # Which threads a process has is open to everybody on Linux, as is its command line.
    assert ended.said == [["task"] * 3, ""]


def test_the_launchers_socket_takes_no_orders_from_the_solution(coexecuted):
    ended = coexecuted.run("""
code = '''
import json, os, socket, sys
address = sys.argv[1]
got = []
for attempt in (lambda: socket.socket(socket.AF_UNIX).connect(address), lambda: os.listdir(os.path.dirname(address)),
                lambda: os.rename(os.path.dirname(address), "/tmp/mine"), lambda: os.unlink(address)):
    try:
        attempt()
        got.append(1)
    except OSError as error:
        got.append(type(error).__name__)
print(json.dumps([got, [n for n in os.environ if "AGENTICS" in n]]))
'''
done = solution(code, LAUNCH[-1])
say(json.loads(done.stdout))
""")
    assert ended.said == [["PermissionError"] * 4, []]


def test_a_uid_that_reaches_the_socket_all_the_same_is_refused_by_who_it_is(coexecuted):
    # The second wall, seen by opening the first: the evaluator itself lets everybody into the directory.
    ended = coexecuted.run("""
os.chmod(os.path.dirname(LAUNCH[-1]), 0o777)
os.chmod(LAUNCH[-1], 0o777)
code = '''
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
print(repr(sock.recv(100)))
'''
say(solution(code, LAUNCH[-1]).stdout)
""")
    assert ended.said == "b''\n"
    assert ended.facts.refused == 1


def test_a_daemon_is_dead_before_its_launcher_returns(coexecuted):
    ended = coexecuted.run(
        VERDICT
        + """
code = '''
import os, signal, time
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            for fd in (0, 1, 2):
                os.close(fd)
            while True:
                try:
                    open("/output/result.json", "w").write("FORGED")
                except OSError:
                    pass
        os._exit(0)
'''
runs = [[solution(code).returncode, living(10001)] for _ in range(5)]
say([runs, verdict()])
"""
    )
    assert ended.said == [[[0, []]] * 5, "HONEST"]
    assert ended.facts.left_behind is False


def test_what_still_runs_when_the_evaluator_leaves_does_not_outlive_it(coexecuted):
    ended = coexecuted.run("""
running = start("import time; print(1, flush=True); time.sleep(1000)")
running.stdout.readline()
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
os._exit(3)
""")
    assert ended.exit_code == 3
    assert ended.facts.left_behind is False


def test_a_fork_bomb_ends_with_its_run_and_the_next_run_starts(coexecuted):
    ended = coexecuted.run(
        VERDICT
        + """
code = '''
import os
print("started", flush=True)
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        pass
'''
bomb = start(code)
bomb.stdout.readline()
while len(os.listdir("/proc")) and len(living(10001)) < 40:
    pass
bomb.terminate()
bomb.wait()
say([living(10001), solution("print('next')").stdout, verdict()])
""",
        pids=64,
    )
    assert ended.said == [[], "next\n", "HONEST"]


def test_a_memory_hog_is_the_one_that_dies_of_it(coexecuted):
    ended = coexecuted.run(
        VERDICT
        + """
ballast = b"x" * 60_000_000  # more than one hog's share below: size alone would pick the evaluator
code = '''
import os
hogs = [os.fork() for _ in range(3)]
blocks = []
while True:
    blocks.append(b"x" * 1_000_000)
'''
say([solution(code).returncode, len(ballast), verdict()])
""",
        memory="160m",
    )
    assert ended.said[0] == -9
    assert ended.said[2] == "HONEST"


def test_garbage_from_code_that_runs_beside_the_evaluator_does_not_stop_the_supervisor(coexecuted):
    ended = coexecuted.run("""
import array, socket, struct
def send(*parts, fds=()):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(LAUNCH[-1])
    sock.settimeout(20)
    sock.recv(1)  # as a launcher does: what is sent before this does not say who sent it, and is refused
    try:
        for part in parts:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            sock.sendmsg([part], rights)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            part = sock.recv(65536)
            if not part:
                return answer.decode()
            answer += part
    except OSError as error:
        return type(error).__name__
def framed(value):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("!I", len(body)) + body
good = {"argv": ["true"], "env": {}, "cwd": "/tmp", "rlimits": {}}
three = (0, 1, 2)
answers = [
    send(b""), send(b"GET / HTTP/1.1"), send(struct.pack("!I", 2**32 - 1)), send(framed(b"not json")),
    send(framed([]), fds=three), send(framed({}), fds=three), send(framed(b"[" * 100_000), fds=three),
    send(framed({**good, "argv": []}), fds=three), send(framed({**good, "argv": ["\\0"]}), fds=three),
    send(framed({**good, "rlimits": {"setrlimit": [1, 1]}}), fds=three),
    send(framed(good)), send(framed(good), fds=(0,)),
    send(*[b"\\0"] * 40, fds=three), send(framed(good) + b"more", fds=three),
]
left_open = [socket.socket(socket.AF_UNIX) for _ in range(80)]
for sock in left_open:
    sock.connect(LAUNCH[-1])
refused = [sock.recv(1) for sock in left_open[64:]]
for sock in left_open:
    sock.close()
say([answers, solution("print('still here')").stdout])
""")
    answers, after = ended.said
    assert after == "still here\n"
    assert not [answer for answer in answers if '"exit_code": 0' in answer]
    assert ended.facts.refused == 16  # more connections at once than it serves


def test_stray_commands_cannot_freeze_the_supervisor_by_stopping_the_next_one(coexecuted):
    # SIGSTOP to everything of the uid, again and again, hits commands that have not even become themselves yet.
    ended = coexecuted.run("""
stopper = start("import os\\nprint(1, flush=True)\\nwhile True:\\n  try: os.kill(-1, 19)\\n  except OSError: pass")
stopper.stdout.readline()
others = [start("pass") for _ in range(5)]
for other in others:
    other.terminate()
ends = [other.wait() in (0, -15) for other in others]
stopper.terminate()
say([ends, stopper.wait(), living(10001)])
""")
    assert ended.said == [[True] * 5, -15, []]
