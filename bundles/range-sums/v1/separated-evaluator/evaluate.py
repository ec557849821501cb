"""Scores range-sums: compares each run's standard output with the answer file its metadata names.

A run is solved when it ended with exit code 0 and its answers are the expected lines. What a participant wrote is
untrusted: it is read up to a cap, from regular files only. Exit 0 whenever a verdict was reached.
"""

import argparse
import json
import os
import stat
from pathlib import Path

SLACK_BYTES = 65_536  # white space that a correct output may carry beyond the expected answer


def main() -> None:
    args = arguments()
    runs = json.loads(args.runs_file.read_text(encoding="utf-8"))["runs"]
    cases = [judge(run, args) for run in runs]
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


def judge(run: dict, args: argparse.Namespace) -> dict:
    """One run as an entry of `public_results`, with its wall time as an extra key."""
    name = run["run_name"]
    run_dir = args.solution_runs_dir / name
    ended = json.loads((run_dir / "agentics-run.json").read_text(encoding="utf-8"))
    expected = (args.challenge_dir / run["metadata"]["answer"]).read_bytes()
    problem = why_wrong(ended, run_dir / "stdout.txt", expected)
    return {
        "case_name": name,
        "status": "failed" if problem else "passed",
        "score": 0.0 if problem else 1.0,
        "message": problem or "ok",
        "wall_time_ms": ended["wall_time_ms"],
    }


def why_wrong(ended: dict, stdout: Path, expected: bytes) -> str | None:
    """None when the run is solved."""
    if ended["timed_out"]:
        return "time limit exceeded"
    if ended["exit_code"] != 0:
        return f"ended with exit code {ended['exit_code']}"
    written = read_capped(stdout, len(expected) + SLACK_BYTES)
    if written is None:
        return "no output that could be read, or far too much of it"
    got, want = lines(written), lines(expected)
    if len(got) != len(want):
        return f"{len(got)} lines of output instead of {len(want)}"
    return next((f"answer {i} is wrong" for i, pair in enumerate(zip(got, want), 1) if pair[0] != pair[1]), None)


def lines(text: bytes) -> list[bytes]:
    return [line.rstrip() for line in text.rstrip().split(b"\n")]


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
    score = round(passed / len(cases), 6)
    return {
        "status": "passed" if passed == len(cases) else "failed",
        "mode": mode,
        "aggregate_metrics": [
            {"metric_name": "score", "value": score},
            {"metric_name": "slowest_ms", "value": max(case["wall_time_ms"] for case in cases)},
        ],
        "run_metrics": [
            {
                "run_name": case["case_name"],
                "metrics": [
                    {"metric_name": "score", "value": case["score"]},
                    {"metric_name": "slowest_ms", "value": case["wall_time_ms"]},
                ],
            }
            for case in cases
        ],
        "public_results": cases,
        f"{mode}_summary": {"score": score, "passed": passed, "total": len(cases)},
        "logs": [f"{passed} of {len(cases)} cases solved"],
    }


if __name__ == "__main__":
    main()
