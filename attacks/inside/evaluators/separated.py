"""Scores stdout, or output/answer.txt of file_system cases, as a careful evaluator would."""

import argparse
import json
import os
import stat
from pathlib import Path


def main():
    asked = arguments()
    runs = json.loads(asked.runs_file.read_text())["runs"]
    right = json.loads((asked.challenge_dir / side(asked.mode) / "answers.json").read_text())
    scores = [score(run, right[run["run_name"]], asked.solution_runs_dir / run["run_name"]) for run in runs]
    share = sum(scores) / len(scores)
    result = {
        "status": "passed" if share == 1 else "failed",
        "mode": asked.mode,
        "aggregate_metrics": [{"metric_name": "share", "value": share}],
        f"{asked.mode}_summary": {"score": share, "passed": sum(scores), "total": len(scores)},
    }
    asked.output_path.write_text(json.dumps(result))


def side(mode):
    return "private-benchmark" if mode == "official" else "public"


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("challenge-dir", "solution-runs-dir", "output-path", "runs-file"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--mode", required=True)
    return parser.parse_args()


def score(run, right, folder):
    ended = json.loads((folder / "agentics-run.json").read_text())
    # A naive evaluator looks into what it was promised: a directory.
    os.listdir(ended["output_dir"])
    if ended["exit_code"] or ended["timed_out"]:
        return 0
    stdio = run["interface"] == "stdio"
    return int(read(folder / ("stdout.txt" if stdio else "output/answer.txt")).strip() == str(right).encode())


def read(path):
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return b""
    with open(descriptor, "rb") as file:
        return file.read(4096)


if __name__ == "__main__":
    main()
