"""What participants can make of a run directory and of our memory: 20 cases that leave as much as a case may.

    python benchmarks/evidence.py [--cases 20]

Each leg is one `agentics eval`. Printed are the peak resident memory of that process, and the size and the inodes of
the run directory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from overhead import make_bundle

NAMES = "[open(f'{top}/{n:05}' + 'n' * 250, 'w').close() for n in range(8100)]"
LEAVES = {
    "nothing": "pass",
    "8100 empty files, names of 255 bytes": f"top = '/io/output'; {NAMES}",
    "8100 empty files, paths of 3100 bytes": (
        f"top = '/io/output/' + '/'.join(['d' * 255] * 11); os.makedirs(top); os.chdir(top); top = '.'; {NAMES}"
    ),
    "1200 small files, each other content": (
        "[open(f'/io/output/{n}', 'w').write(os.urandom(8).hex()) for n in range(1200)]"
    ),
    "64 files of 256 KiB": "[open(f'/io/output/{n}', 'wb').write(os.urandom(1 << 18)) for n in range(64)]",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20)
    options = parser.parse_args()
    print(f"{options.cases} cases, each of which leaves", flush=True)
    print(f"{'':40}{'seconds':>9}{'peak MiB':>10}{'run MiB':>9}{'inodes':>8}", flush=True)
    with tempfile.TemporaryDirectory(prefix="agentics-bench-") as folder:
        root = Path(folder)
        bundle = make_bundle(root, options.cases)
        for number, (name, leaves) in enumerate(LEAVES.items()):
            began = time.perf_counter()
            peak, output = measured(root / str(number), bundle, leaves)
            seconds = time.perf_counter() - began
            size, inodes = taken(output)
            print(f"{name:40}{seconds:9.0f}{peak / 1024:10.0f}{size / (1 << 20):9.1f}{inodes:8}", flush=True)


def measured(root: Path, bundle: Path, leaves: str) -> tuple[int, Path]:
    """The peak memory of one evaluation in KiB, and where its run directory is."""
    solution, output = root / "solution", root / "outputs"
    solution.mkdir(parents=True)
    manifest = {"protocol": "zip_project", "protocol_version": 1, "commands": {"run": "run.sh"}}
    (solution / "agentics.solution.json").write_text(json.dumps(manifest))
    (solution / "run.sh").write_text("exec python3 main.py\n")
    (solution / "main.py").write_text(f"import os\n{leaves}\n")
    words = ["eval", str(bundle), "--solution", str(solution), "--output-path", str(output), "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "agentics", *words])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):  # 1: a case that timed out on a busy machine
        msg = f"the evaluation ended with {process.returncode}"
        raise SystemExit(msg)
    return usage.ru_maxrss, output


def taken(root: Path) -> tuple[int, int]:
    """Allocated bytes and inodes below a directory."""
    found = [path.lstat() for path in root.rglob("*")]
    return sum(each.st_blocks * 512 for each in found), len(found)


if __name__ == "__main__":
    main()
