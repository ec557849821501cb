"""Scores parcel-packing: checks each load, and compares its value with the best one.

The vans come from the run manifest, the best values from the public directory (validation) or from the private overlay
(official). What a participant wrote is untrusted: it is read up to a cap and never echoed; neither is a best value of
an official van. Exit 0 whenever a verdict was reached.
"""

import argparse
import json
import os
import re
import stat
from pathlib import Path

OUTPUT_BYTES = 16_384
BEST_VALUES = {"validation": "public/best.json", "official": "private-benchmark/best.json"}


def main() -> None:
    args = arguments()
    runs = json.loads(args.runs_file.read_text(encoding="utf-8"))["runs"]
    best = json.loads((args.challenge_dir / BEST_VALUES[args.mode]).read_text(encoding="utf-8"))
    cases = [judge(run, best[run["run_name"]], args.solution_runs_dir / run["run_name"]) for run in runs]
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


def judge(run: dict, best: int, run_dir: Path) -> dict:
    """One run as an entry of `public_results`; `parcels` and `optimal` are extra keys."""
    ended = json.loads((run_dir / "agentics-run.json").read_text(encoding="utf-8"))
    load, problem = [], how_it_failed(ended)
    if problem is None:
        load, problem = load_from(run_dir / "stdout.txt", run["stdin_json"])
    value = sum(run["stdin_json"]["parcels"][number]["value"] for number in load)
    return {
        "case_name": run["run_name"],
        "status": "failed" if problem else "passed",
        "score": round(value / best, 6),
        "message": problem or "a valid load",
        "parcels": len(load),
        "optimal": value == best,
    }


def how_it_failed(ended: dict) -> str | None:
    if ended["timed_out"]:
        return "time limit exceeded"
    return f"ended with exit code {ended['exit_code']}" if ended["exit_code"] else None


def load_from(stdout: Path, van: dict) -> tuple[list[int], str | None]:
    """The load and None, or no load and what is wrong."""
    written = read_capped(stdout, OUTPUT_BYTES)
    if written is None:
        return [], "no output that could be read, or far too much of it"
    words = written.split()
    if not all(re.fullmatch(rb"[0-9]{1,9}", word) for word in words):
        return [], "the output is not a list of parcel numbers"
    load = [int(word) for word in words]
    if any(number >= len(van["parcels"]) for number in load):
        return [], "a parcel number is out of range"
    if len(set(load)) != len(load):
        return [], "a parcel is loaded twice"
    if sum(van["parcels"][number]["weight"] for number in load) > van["capacity"]:
        return [], "the load is too heavy"
    return load, None


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
    share = round(sum(case["score"] for case in cases) / len(cases), 6)
    metrics = [
        {"metric_name": "share_of_best", "value": share},
        {"metric_name": "parcels_used", "value": sum(case["parcels"] for case in cases)},
    ]
    if mode == "official":  # an official metric may not appear in validation
        metrics.append({"metric_name": "optimal_loads", "value": sum(case["optimal"] for case in cases)})
    return {
        "status": "passed" if passed == len(cases) else "failed",
        "mode": mode,
        "aggregate_metrics": metrics,
        "run_metrics": [
            {"run_name": case["case_name"], "metrics": [{"metric_name": "share_of_best", "value": case["score"]}]}
            for case in cases
        ],
        "public_results": cases,
        f"{mode}_summary": {"score": share, "passed": passed, "total": len(cases)},
        "logs": [f"{passed} of {len(cases)} loads valid"],
    }


if __name__ == "__main__":
    main()
