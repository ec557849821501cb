"""Scores grid-escape: compares the number in each run's distance.txt with the distance in its metadata.

What a participant wrote is untrusted: it is read up to a cap, from a regular file only, and never echoed. Neither is the
right distance: official grids are private. Exit 0 whenever a verdict was reached.
"""

import argparse
import json
import os
import re
import stat
from pathlib import Path

ANSWER_BYTES = 64
NEEDED_SHARE = 0.5  # from here on the result is passed


def main() -> None:
    args = arguments()
    runs = json.loads(args.runs_file.read_text(encoding="utf-8"))["runs"]
    cases = [judge(run, args.solution_runs_dir / run["run_name"]) for run in runs]
    result = report(cases, args.mode)
    args.output_path.write_text(json.dumps(result, ensure_ascii=False, indent=2), encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--challenge-dir", type=Path, required=True)
    parser.add_argument("--solution-runs-dir", type=Path, required=True)
    parser.add_argument("--output-path", type=Path, required=True)
    parser.add_argument("--mode", choices=["validation", "official"], required=True)
    parser.add_argument("--runs-file", type=Path, required=True)
    return parser.parse_args()


def judge(run: dict, run_dir: Path) -> dict:
    """One run as an entry of `public_results`."""
    ended = json.loads((run_dir / "agentics-run.json").read_text(encoding="utf-8"))
    problem = why_wrong(ended, run_dir / "output" / run["output_files"][0], run["metadata"]["distance"])
    return {
        "case_name": run["run_name"],
        "status": "failed" if problem else "passed",
        "score": 0.0 if problem else 1.0,
        "message": problem or "ok",
        "wall_time_ms": ended["wall_time_ms"],
    }


def why_wrong(ended: dict, answer: Path, distance: int) -> str | None:
    """None when the grid is solved."""
    if ended["timed_out"]:
        return "time limit exceeded"
    if ended["exit_code"] != 0:
        return f"ended with exit code {ended['exit_code']}"
    written = read_capped(answer, ANSWER_BYTES)
    if written is None:
        return "no distance.txt that could be read, or far too much in it"
    if re.fullmatch(rb"\s*(-?[0-9]{1,9})\s*", written) is None:
        return "distance.txt holds no whole number"
    return None if int(written) == distance else "wrong distance"


def read_capped(path: Path, cap: int) -> bytes | None:
    """None when it is missing, no regular file, or longer than `cap` bytes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(cap + 1)
    finally:
        os.close(descriptor)
    return content if len(content) <= cap else None


def report(cases: list[dict], mode: str) -> dict:
    passed = sum(case["status"] == "passed" for case in cases)
    share = round(passed / len(cases), 6)
    return {
        "status": "passed" if share >= NEEDED_SHARE else "failed",
        "mode": mode,
        "aggregate_metrics": [
            {"metric_name": "solved_share", "value": share},
            {"metric_name": "total_wall_ms", "value": sum(case["wall_time_ms"] for case in cases)},
        ],
        "run_metrics": [
            {
                "run_name": case["case_name"],
                "metrics": [{"metric_name": "total_wall_ms", "value": case["wall_time_ms"]}],
            }
            for case in cases
        ],
        "public_results": cases,
        f"{mode}_summary": {"score": share, "passed": passed, "total": len(cases)},
        "logs": [f"{passed} of {len(cases)} grids solved"],
    }


if __name__ == "__main__":
    main()
