"""A coexecuted container as the platform starts one, around an evaluator given as source text."""

import json
import os
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

import agentics
import agentics.sandbox.guest
from agentics.pipeline.attempt_tools import SUPERVISOR_CAPABILITIES
from agentics.policy.verdict.shared_use import read_report
from agentics.sandbox.docker import attach

IMAGE = os.environ.get("AGENTICS_TEST_CPU_IMAGE", f"agentics-base:{agentics.__version__}")
GUEST = Path(agentics.sandbox.guest.__file__).parent
HARDENED = (
    *("--init", "--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *(f"--cap-add={name}" for name in SUPERVISOR_CAPABILITIES),
    *("--ulimit=nofile=1024", "--ulimit=core=0"),
)
PRIVATE = ("/challenge", "/setup", "/metadata", "/output")
PLACES = (
    *(f"--tmpfs={place}:exec,uid=10002,gid=10002,mode=0700" for place in PRIVATE),
    *(
        "--tmpfs=/tmp:exec,mode=1777,size=32m,nr_inodes=1000",
        "--workdir=/challenge",
        "--env=HOME=/output",
        "--env=TMPDIR=/output/tmp",
    ),
    *("--env=AGENTICS_MODE=official", "--env=AGENTICS_OUTPUT_DIR=/output"),
)
# What every evaluator of these tests starts with. `solution` runs Python source as the solution's uid.
PRELUDE = """
import json, os, shlex, signal, subprocess, sys, time
LAUNCH = shlex.split(os.environ["AGENTICS_RUN_AS_SOLUTION"])
os.umask(0)
os.makedirs("/output/tmp")
for place in ("/challenge", "/setup", "/metadata"):
    open(place + "/private.json", "w").write("CANARY")
    os.chmod(place, 0o700)  # runc gives a tmpfs the mode of the directory under it, where there is one

def start(code, *args, **given):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*LAUNCH, "python3", "-c", code, *map(str, args)], **{"cwd": "/tmp", **pipes, **given})

def solution(code, *args, **given):
    defaults = {"cwd": "/tmp", "capture_output": True, "text": True, "timeout": 60}
    return subprocess.run([*LAUNCH, "python3", "-c", code, *map(str, args)], **{**defaults, **given})

def living(uid):
    pids = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            said = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
        except OSError:
            continue
        if str(uid) in said["Uid"].split() and said["State"].split()[0] not in "ZX":
            pids.append(int(pid))
    return pids

def say(value):
    print(json.dumps(value), flush=True)
"""


def run(argv, stdin=b""):
    done = subprocess.run(argv, check=False, capture_output=True, input=stdin, timeout=180)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr


@dataclass(frozen=True)
class Ended:
    exit_code: int
    stdout: str
    report: bytes

    @property
    def facts(self):
        return read_report(self.report)[0]

    @property
    def log(self):
        """What commands wrote to streams of the evaluator that they were given."""
        return read_report(self.report)[1]

    @property
    def evaluator(self):
        """How the supervisor says that the evaluator ended."""
        return json.loads(self.report.splitlines()[-1])["evaluator"]

    @property
    def said(self):
        """What the evaluator said last, after it did all that it had to."""
        assert self.exit_code == 0, self.stdout
        return json.loads(self.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Coexecuted:
    """Streams are the engine's, as where it shares no FIFOs: the log is its stdout, the report its stderr."""

    def command(self, *, pids=128, memory="256m", volumes=()):
        limits = [f"--pids-limit={pids}", f"--memory={memory}", f"--memory-swap={memory}"]
        if not any(":/workspace" in volume for volume in volumes):
            limits.append("--tmpfs=/workspace:exec,mode=0755")
        mounts = [f"--volume={place}" for place in (f"{GUEST}:/agentics:ro", *volumes)]
        name = f"--name=agentics-test-{uuid.uuid4().hex}"
        return ["docker", "run", "--rm", "--interactive", name, *HARDENED, *limits, *PLACES, *mounts, IMAGE]

    def supervisor(self, *evaluator, processes=4000, users=(10002, 10001)):
        uids = (f"--evaluator-uid={users[0]}", f"--solution-uid={users[1]}")
        return ["python3", "/agentics/coexec.py", *uids, f"--solution-processes={processes}", "--", *evaluator]

    def run(self, evaluator, *, processes=4000, users=(10002, 10001), **limits):
        """Run an evaluator's source text under the supervisor, to the end."""
        argv = self.supervisor("python3", "-c", PRELUDE + evaluator, processes=processes, users=users)
        return self.run_argv(argv, **limits)

    def run_argv(self, argv, stdin=b"", **given):
        return Ended(*run([*self.command(**given), *attach.supervised(tuple(argv))], stdin))


@pytest.fixture
def coexecuted():
    return Coexecuted()
