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

IMAGE = os.environ.get("AGENTICS_TEST_CPU_IMAGE", f"agentics-base:{agentics.__version__}")
GUEST = Path(agentics.sandbox.guest.__file__).parent
HARDENED = (
    *("--init", "--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--cap-add=SETUID", "--cap-add=SETGID", "--cap-add=KILL", "--ulimit=nofile=1024", "--ulimit=core=0"),
)
PRIVATE = ("/challenge", "/setup", "/metadata", "/output")
PLACES = (
    *(f"--tmpfs={place}:exec,uid=10002,gid=10002,mode=0700" for place in PRIVATE),
    *("--tmpfs=/tmp:exec,mode=1777", "--workdir=/challenge", "--env=HOME=/output", "--env=TMPDIR=/output/tmp"),
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
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")


@dataclass(frozen=True)
class Ended:
    exit_code: int
    stdout: str
    stderr: str
    facts: dict | None

    @property
    def said(self):
        """What the evaluator said last, after it did all that it had to."""
        assert self.exit_code == 0, self.stderr
        return json.loads(self.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Coexecuted:
    facts_dir: Path

    def command(self, *, pids=128, memory="256m", volumes=()):
        limits = [f"--pids-limit={pids}", f"--memory={memory}", f"--memory-swap={memory}"]
        if not any(":/workspace" in volume for volume in volumes):
            limits.append("--tmpfs=/workspace:exec,mode=0755")
        places = (f"{GUEST}:/agentics:ro", f"{self.facts_dir}:/facts", *volumes)
        mounts = [f"--volume={place}" for place in places]
        name = f"--name=agentics-test-{uuid.uuid4().hex}"
        return ["docker", "run", "--rm", "--interactive", name, *HARDENED, *limits, *PLACES, *mounts, IMAGE]

    def supervisor(self, *evaluator):
        uids = ("--evaluator-uid=10002", "--solution-uid=10001")
        return ["python3", "/agentics/coexec.py", *uids, "--facts=/facts/facts.json", "--", *evaluator]

    def run(self, evaluator, **limits):
        """Run an evaluator's source text under the supervisor, to the end."""
        return self.run_argv(self.supervisor("python3", "-c", PRELUDE + evaluator), **limits)

    def run_argv(self, argv, stdin=b"", **given):
        return Ended(*run([*self.command(**given), *argv], stdin), self.read_facts())

    def read_facts(self):
        """The facts are root's alone, so root reads them: these tests may run as somebody else."""
        argv = ["docker", "run", "--rm", "--network=none", f"--volume={self.facts_dir}:/facts:ro", IMAGE]
        _, text, _ = run([*argv, "cat", "/facts/facts.json"])
        return json.loads(text) if text else None


@pytest.fixture
def coexecuted(tmp_path):
    facts_dir = tmp_path / "facts"
    facts_dir.mkdir()
    facts_dir.chmod(0o777)
    return Coexecuted(facts_dir)
