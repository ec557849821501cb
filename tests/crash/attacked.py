"""Kills `agentics doctor --attack` by SIGKILL again and again, and looks for what `agentics clean` leaves.

    python tests/crash/attacked.py 25 --within 120 --seed 1

Each time: start the command, kill it at a random moment of its first `--within` seconds, clean, and look. Nothing may
be left: no container of the killed process, no mount, no loop device, no scratch directory, no process. The last line
has figures. The exit status is 0 only when nothing was left at any time, and an honest evaluation passes afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from agentics.sandbox.docker.engine import connect_api
from agentics.sandbox.labels import OWNER, parse

ROOT = Path(__file__).parents[2]
AGENTICS = [sys.executable, "-m", "agentics"]
GONE_S = 30


def main() -> int:
    asked = _arguments()
    chosen = random.Random(asked.seed)
    failures, moments, places = 0, [], Counter()
    with tempfile.TemporaryDirectory(prefix="agentics-", dir="/var/tmp") as home:
        scratch = Path(home) / "scratch"
        (Path(home) / "agentics.toml").write_text(f'[sandbox]\nscratch = "{scratch}"\n')
        for number in range(1, asked.kills + 1):
            after = chosen.uniform(0, asked.within)
            ended, last = _attack_and_kill(Path(home), after, full=asked.full)
            moments.append(after)
            places[last] += 1
            left = _clean_and_look(Path(home), scratch, ended)
            failures += bool(left)
            print(f"{number}: killed after {after:.1f} s at {last}: {'; '.join(left) or 'nothing left'}", flush=True)
        honest = _honest(Path(home))
    print(f"{asked.kills} kills, {failures} left something; honest evaluation afterwards: {honest}; {dict(places)}")
    return 0 if failures == 0 and honest == "passed" else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int, nargs="?", default=25)
    parser.add_argument("--within", type=float, default=120, help="seconds in which the moments lie")
    parser.add_argument("--full", action="store_true", help="kill runs of the whole suite")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _attack_and_kill(home: Path, after: float, *, full: bool) -> tuple[int, str]:
    """The pid of the killed process, and the group that it was at."""
    told = home / "told.txt"
    with told.open("w") as err:
        command = [*AGENTICS, "doctor", "--attack", *(["--full"] if full else [])]
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=err, env=_environment())
        try:
            process.wait(after)
            return process.pid, f"its end ({process.returncode})"
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    lines = [line for line in told.read_text().splitlines() if "/" in line]
    return process.pid, lines[-1].rpartition(": ")[2].partition("/")[0] if lines else "its beginning"


def _clean_and_look(home: Path, scratch: Path, pid: int) -> list[str]:
    done = subprocess.run(
        [*AGENTICS, "clean", "--json"], cwd=home, capture_output=True, text=True, check=False, env=_environment()
    )
    found = [] if done.returncode == 0 else [f"clean ended with {done.returncode}: {done.stderr.strip()[-300:]}"]
    with connect_api() as api:
        containers = api.containers({OWNER: None})
    found += [f"container {one['Id']}" for one in containers if _is_of(str(one["Labels"][OWNER]), pid)]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [f"mount {line}" for line in mounts if str(scratch) in line]
    for image in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            found += [f"loop {image.parts[3]}"] if str(scratch) in image.read_text() else []
        except OSError:
            continue
    if scratch.is_dir():
        found += [f"scratch {path.name}" for path in scratch.iterdir() if not path.name.startswith("setups-")]
    return found + [f"process {line}" for line in _processes(home)]


def _is_of(label: str, pid: int) -> bool:
    owner = parse(label)
    return owner is not None and owner.pid == pid


def _processes(home: Path) -> list[str]:
    """Processes that have the folder in their environment or command line. One that is dying has half a minute."""
    until = time.monotonic() + GONE_S
    while True:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                said = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            except OSError:
                continue
            if str(home).encode() in said and int(process.name) != os.getpid():
                found.append(f"{process.name} {(process / 'comm').read_text().strip()}")
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.5)


def _honest(home: Path) -> str:
    bundle = ROOT / "bundles" / "range-sums"
    command = [*AGENTICS, "eval", str(bundle), "--solution", str(bundle / "solutions" / "accepted-python"), "--json"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, env=_environment())
    outcomes = json.loads(done.stdout)["outcomes"] if done.returncode == 0 else {}
    statuses = {task["status"] for outcome in outcomes.values() for task in outcome["tasks"].values()}
    return "passed" if statuses == {"passed"} else f"{done.returncode} {statuses} {done.stderr[-300:]}"


def _environment() -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name != "AGENTICS_CONFIG"}, "PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    sys.exit(main())
