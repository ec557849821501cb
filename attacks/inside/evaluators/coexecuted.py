"""Runs the solution's program under the solution's own user, asks it for doubles, and writes the result last.

It prints what it knows to its own log, and lends the program its stderr, as evaluators do that do not think of it.
While the program runs it starts checkers of its own, and takes a semaphore, which lies in /dev/shm.
"""

import argparse
import json
import multiprocessing
import os
import shlex
import subprocess
import time
from pathlib import Path

ANSWER_BYTES = 4096


def main():
    asked = arguments()
    secret = asked.challenge_dir / ("private-benchmark" if asked.mode == "official" else "public") / "answers.json"
    told = json.loads(secret.read_text())
    numbers = told["numbers"]
    print(f"cnryanswers {[2 * number for number in numbers]}", flush=True)
    said = [ask(number, asked.workspace_dir, told["patience_s"]) for number in numbers]
    right = sum(answer == str(2 * number).encode() for answer, number in zip(said, numbers))
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


def ask(number, workspace, patience_s):
    command = [*shlex.split(os.environ["AGENTICS_RUN_AS_SOLUTION"]), "sh", str(workspace / "run.sh")]
    environment = {"PATH": os.environ["PATH"]}
    process = subprocess.Popen(command, cwd=workspace, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    said, question = None, json.dumps({"n": number}).encode()
    deadline = time.monotonic() + patience_s
    while said is None and time.monotonic() < deadline:
        try:
            said = process.communicate(question, timeout=0.5)[0]
        except subprocess.TimeoutExpired:
            question = None  # the rest of it goes with the next call
        check()
    if said is None:
        process.terminate()
        process.communicate()
        return None
    return said.strip() if process.returncode == 0 and len(said) <= ANSWER_BYTES else None


def check():
    """As many checkers at once as an evaluator may want; one that cannot start is its end."""
    checkers = [subprocess.Popen(["sleep", "0"]) for _ in range(8)]
    if any(checker.wait() for checker in checkers):
        raise SystemExit("a checker failed")
    with multiprocessing.Lock():
        pass


if __name__ == "__main__":
    main()
