"""Every way a participant's process can end or use something up, and who is to blame for it in each topology.

A way is a shell script. It does the same in a case, a session, a shared container, and the solution's build and setup.
"""

from __future__ import annotations

import shlex
import signal
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["fine", "wrong", "bad"]
Ends = tuple[str, str | None, str | None]
TOPOLOGIES = ("separated", "piped", "coexecuted", "build", "setup")

PASSED: Ends = ("passed", None, None)
WRONG: Ends = ("failed", "verdict_fail", None)
CASES: Ends = ("failed", "all_samples_failed", "participant")
LATE: Ends = ("failed", "shared_container_timed_out", "participant")
FULL: Ends = ("failed", "shared_container_exhausted", "participant")
MEMORY: Ends = ("failed", "shared_container_out_of_memory", "participant")
# A launcher tells the evaluator how a command ended: it says itself what it thinks of that.
ENDS: dict[str, dict[Kind, Ends]] = {
    "separated": {"fine": PASSED, "wrong": WRONG, "bad": CASES},
    "piped": {"fine": PASSED, "wrong": WRONG, "bad": CASES},
    "coexecuted": {"fine": PASSED, "wrong": WRONG, "bad": WRONG},
    "build": {"fine": PASSED, "wrong": PASSED, "bad": ("failed", "solution_build_failed", "participant")},
    "setup": {"fine": PASSED, "wrong": PASSED, "bad": ("failed", "solution_setup_failed", "participant")},
}


@dataclass(frozen=True)
class Way:
    """`fine` answers rightly all the same, `wrong` ends with 0 and no right answer, `bad` ends otherwise or never.
    `otherwise`: by topology, what it ends as in place of that; several where the machine decides which comes first."""

    kind: Kind
    script: str
    otherwise: dict[str, tuple[Ends, ...]] = field(default_factory=dict)

    def ends(self, topology: str) -> tuple[Ends, ...]:
        return self.otherwise.get(topology, (ENDS[topology][self.kind],))


def python(kind: Kind, text: str, **otherwise: tuple[Ends, ...]) -> Way:
    """Python text; `honest.go_on()` answers, where something is asked."""
    return Way(kind, script(text), otherwise)


def script(text: str) -> str:
    """A shell script of Python text, that finds the modules of the solution."""
    return f"PYTHONPATH=/workspace exec python3 -B -c {shlex.quote(text)}\n"


FATAL = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM XCPU XFSZ VTALRM PROF IO PWR SYS RTMIN"
FILL = """
import itertools, os, honest
def fill(folder):
    for number in itertools.count():
        try:
            with open(f"{folder}/full{number}", "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError as error:
            if error.errno != 27:  # this file has become as large as a file may be
                return
"""
NAMES = """
import os, honest
def names(folder):
    try:
        for number in range(1_000_000):
            os.mknod(f"{folder}/{number}")
    except OSError:
        pass
"""
IPC = """
import ctypes, honest
libc = ctypes.CDLL(None, use_errno=True)
small = (ctypes.c_long * 8)(0, 1, 1, 0)
for number in range(1000):
    libc.mq_open(f"/q{number}".encode(), 0o102, 0o600, ctypes.byref(small))
    libc.msgget(0, 0o1600), libc.semget(0, 1, 0o1600), libc.shmget(0, 4096, 0o1600)
"""
HOG = "held = []\nwhile True: held.append(bytearray(b'x' * (4 << 20)))"
# Where more than one thing runs out, the first of them tells how it ends. All of them are the participant's.
CROWD = (WRONG, LATE, FULL)

WAYS: dict[str, Way] = {
    "exit-0": Way("wrong", "exit 0\n"),
    **{f"exit-{code}": Way("bad", f"exit {code}\n") for code in (1, 2, 124, 125, 126, 127, 128, 137, 139, 143, 255)},
    **{
        f"signal-{name}": python(
            "bad",
            "import os, signal\n"
            + (f"signal.signal({number}, signal.SIG_DFL)\n" if name != "KILL" else "")
            + f"signal.pthread_sigmask(signal.SIG_UNBLOCK, [{number}])\nos.kill(os.getpid(), {number})\nsignal.pause()",
        )
        for name in FATAL.split()
        for number in (int(getattr(signal, f"SIG{name}")),)
    },
    "abort": python("bad", "import os; os.abort()"),
    "segmentation-fault": python("bad", "import ctypes; ctypes.string_at(0)"),
    "stack-overflow": Way("bad", "f() { f; }\nf\n"),
    "kills-its-group": Way("bad", "kill -9 0\nexit 1\n"),
    "kills-everybody": Way("bad", "kill -9 -1\nexit 1\n"),
    "program-missing": Way("bad", "exec /no/such/program\n"),
    "program-not-executable": Way("bad", "exec /etc/passwd\n"),
    "memory": python("bad", HOG),
    "memory-of-a-child": python(
        "bad", f"import os\npid = os.fork()\nif not pid:\n  exec({HOG!r})\nos._exit(bool(os.wait()[1]))"
    ),
    "memory-of-a-child-survived": python(
        "fine",
        f"import os, honest\nif not os.fork():\n  exec({HOG!r})\nos.wait()\nhonest.go_on()",
        **{phase: (PASSED, ENDS[phase]["bad"]) for phase in ("build", "setup")},  # its time may be over before
    ),
    "memory-and-places": python(
        "bad", f"{FILL}\nfor folder in ('/tmp', '/dev/shm'): fill(folder)\n{HOG}", coexecuted=(WRONG, FULL, MEMORY)
    ),
    "spins": Way("bad", "while :; do :; done\n"),
    "sleeps": Way("bad", "exec sleep 1000\n"),
    "ignores-every-signal": Way("bad", "trap '' HUP INT TERM QUIT ALRM USR1 USR2 PIPE\nsleep 1000\nsleep 1000\n"),
    "stops-itself": Way("bad", "kill -STOP $$\nexit 1\n"),
    "floods-stdout": python(
        "bad",
        "import os\nwhile True: os.write(1, b'x' * 65536)",
        piped=(CASES, WRONG),
        coexecuted=(WRONG, MEMORY, LATE),
    ),
    "floods-stderr": python("bad", "import os\nwhile True: os.write(2, b'x' * 65536)"),
    "closes-its-streams": Way("wrong", "exec <&- >&- 2>&-\nexit 0\n"),
    "closes-its-streams-and-sleeps": Way(
        "bad", "exec <&- >&- 2>&-\nsleep 1000\n", {"piped": (CASES, WRONG), "coexecuted": (WRONG,)}
    ),
    "processes": python("bad", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", coexecuted=CROWD),
    "threads": python(
        "bad",
        "import threading, time\nwhile True:\n  try: threading.Thread(target=time.sleep, args=(999,)).start()\n"
        "  except RuntimeError: pass",
        coexecuted=CROWD,
    ),
    "descriptors": python(
        "fine",
        "import os, honest\ntry:\n  while True: os.dup(0)\nexcept OSError: os.closerange(3, 99999)\nhonest.go_on()",
    ),
    "inotify": python(
        "fine",
        "import ctypes, honest\nlibc = ctypes.CDLL(None)\nfor _ in range(200): libc.inotify_init()\nhonest.go_on()",
    ),
    "ipc-objects": python("fine", f"{IPC}\nhonest.go_on()"),
    "tmp-full": python("fine", f"{FILL}\nfill('/tmp')\nhonest.go_on()"),
    "tmp-full-of-names": python(
        "fine",
        f"{NAMES}\nnames('/tmp')\nhonest.go_on()",
        **dict.fromkeys(("separated", "piped"), (PASSED, CASES)),  # 65 536 names take a busy machine some seconds
        coexecuted=(PASSED, WRONG),
    ),
    "dev-shm-full": python("fine", f"{FILL}\nfill('/dev/shm')\nhonest.go_on()", coexecuted=(FULL,)),
    "dev-shm-full-of-names": python("fine", f"{NAMES}\nnames('/dev/shm')\nhonest.go_on()", coexecuted=(FULL,)),
    "output-full": python(
        "bad", f"{FILL}\nfill(os.environ.get('AGENTICS_OUTPUT_DIR', '/workspace'))\nraise SystemExit(1)"
    ),
    "removes-its-own-scripts": Way(
        "fine",
        "rm -rf /workspace/run.sh 2>/dev/null\n" + script("import honest; honest.go_on()"),
        {"build": (CASES,), "setup": (CASES,)},
    ),
    "leaves-daemons": python(
        "fine",
        "import os, time, honest\nfor _ in range(5):\n  if not os.fork():\n    os.setsid(); os.closerange(0, 3)\n"
        "    time.sleep(1000)\nhonest.go_on()",
    ),
    "leaves-a-daemon-that-holds-its-streams": python(
        "fine", "import os, time, honest\nif not os.fork():\n  os.setsid(); time.sleep(1000)\nhonest.go_on()"
    ),
    "binary-answer": python("wrong", "import os; os.write(1, bytes(range(256)) * 4)"),
    "half-an-answer": Way("wrong", "printf 4\n"),
    "answers-without-being-asked": Way("wrong", "exec <&-\necho 41\n"),
    "ends-its-output-early": Way("wrong", "exec >&-\nexit 0\n"),
}
