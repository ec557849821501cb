"""Runs the solution's program under the solution's own user, asks it for doubles, and writes the result last."""

import argparse
import json
import os
import shlex
import subprocess
from pathlib import Path

SECONDS = 4
ANSWER_BYTES = 4096


def main():
    asked = arguments()
    secret = asked.challenge_dir / ("private-benchmark" if asked.mode == "official" else "public") / "answers.json"
    numbers = json.loads(secret.read_text())["numbers"]
    right = sum(ask(number, asked.workspace_dir) == str(2 * number).encode() for number in numbers)
    share = right / len(numbers)
    result = {
        "status": "passed" if share == 1 else "failed",
        "mode": asked.mode,
        "aggregate_metrics": [{"metric_name": "share", "value": share}],
        f"{asked.mode}_summary": {"score": share, "passed": right, "total": len(numbers)},
    }
    asked.output_path.write_text(json.dumps(result))


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("challenge-dir", "workspace-dir", "output-path"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--mode", required=True)
    parser.add_argument("--target", required=True)
    return parser.parse_args()


def ask(number, workspace):
    command = [*shlex.split(os.environ["AGENTICS_RUN_AS_SOLUTION"]), "sh", str(workspace / "run.sh")]
    environment = {"PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        command, cwd=workspace, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        said = process.communicate(json.dumps({"n": number}).encode(), timeout=SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.terminate()
        process.communicate()
        return None
    return said.strip() if process.returncode == 0 and len(said) <= ANSWER_BYTES else None


if __name__ == "__main__":
    main()
