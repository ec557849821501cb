"""Scores grey-levels: compiles the checker, lets it judge each redrawn picture, and averages the fidelities.

What a participant wrote is untrusted: it is read up to a cap, from a regular file only, and the checker sees a copy.
A picture that is missing or not valid fails its case. Only faults of our own (no compiler, a checker that breaks) end
this program with an exit code other than 0.
"""

import argparse
import json
import os
import stat
import subprocess
import tempfile
from pathlib import Path

PICTURE_BYTES = 4 << 20  # more than any valid picture
CHECKER_SECONDS = 10
VALID, NOT_VALID = 0, 1


def main() -> None:
    args = arguments()
    runs = json.loads(args.runs_file.read_text(encoding="utf-8"))["runs"]
    with tempfile.TemporaryDirectory() as scratch:
        checker = compiled(Path(__file__).with_name("checker.cpp"), Path(scratch))
        cases = [judge(run, args, checker, Path(scratch)) for run in runs]
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


def compiled(source: Path, scratch: Path) -> Path:
    checker = scratch / "checker"
    subprocess.run(["g++", "-O2", "-std=c++17", "-o", checker, source], check=True)
    return checker


def judge(run: dict, args: argparse.Namespace, checker: Path, scratch: Path) -> dict:
    """One run as an entry of `public_results`."""
    name = run["run_name"]
    run_dir = args.solution_runs_dir / name
    ended = json.loads((run_dir / "agentics-run.json").read_text(encoding="utf-8"))
    copy = scratch / "redrawn.pgm"
    problem, fidelity = how_it_failed(ended), 0.0
    if problem is None:
        problem = why_unreadable(run_dir / "output" / run["output_files"][0], copy)
    if problem is None:
        original = args.challenge_dir / source_of(run, "picture.pgm")
        problem, fidelity = checked([checker, original, copy, str(run["metadata"]["levels"])])
    return {
        "case_name": name,
        "status": "failed" if problem else "passed",
        "score": fidelity,
        "message": problem or f"fidelity {fidelity}",
        "wall_time_ms": ended["wall_time_ms"],
    }


def source_of(run: dict, path: str) -> str:
    return next(file["source_path"] for file in run["input_files"] if file["path"] == path)


def how_it_failed(ended: dict) -> str | None:
    if ended["timed_out"]:
        return "time limit exceeded"
    return f"ended with exit code {ended['exit_code']}" if ended["exit_code"] else None


def why_unreadable(redrawn: Path, copy: Path) -> str | None:
    """None once the picture lies at `copy`."""
    written = read_capped(redrawn, PICTURE_BYTES)
    if written is None:
        return "no picture that could be read, or one that is far too large"
    copy.write_bytes(written)
    return None


def checked(command: list) -> tuple[str | None, float]:
    """What the checker finds wrong (None: nothing), and the fidelity."""
    said = subprocess.run(command, capture_output=True, text=True, timeout=CHECKER_SECONDS, check=False)
    if said.returncode == NOT_VALID:
        return f"not valid: {said.stdout.strip()}", 0.0
    if said.returncode != VALID:
        raise RuntimeError(f"the checker ended with {said.returncode}: {said.stderr.strip()}")
    error, smallest = map(int, said.stdout.split())
    return None, round(smallest / error, 6) if error else 1.0


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
    fidelity = round(sum(case["score"] for case in cases) / len(cases), 6)
    return {
        "status": "passed" if passed else "failed",
        "mode": mode,
        "aggregate_metrics": [
            {"metric_name": "fidelity", "value": fidelity},
            {"metric_name": "worst_fidelity", "value": min(case["score"] for case in cases)},
        ],
        "run_metrics": [
            {"run_name": case["case_name"], "metrics": [{"metric_name": "fidelity", "value": case["score"]}]}
            for case in cases
        ],
        "public_results": cases,
        f"{mode}_summary": {"score": fidelity, "passed": passed, "total": len(cases)},
        "logs": [f"{passed} of {len(cases)} pictures valid"],
    }


if __name__ == "__main__":
    main()
