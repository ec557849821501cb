"""What a case costs: agentics beside a plain hardened `docker run` of the same commands, in one interleaved run.

    python benchmarks/overhead.py [--rounds 7] [--cases 20]

Every round runs all legs in random order: 20 short cases and their evaluator. Ratios are medians over the rounds of
(leg / docker run loop of the same round), so a busy machine disturbs both sides alike. Seconds are shown for scale.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agentics.config import load
from agentics.pipeline.progress import silent
from agentics.request.campaign import EvalRequest, compile_request
from agentics.usecases.evaluate import evaluate

IMAGE = "agentics-base"
REFERENCE = "agentics-linux-arm64-cpu:ubuntu26.04-base"
CASE = "sleep 0.01"
EVALUATOR = """import argparse, json
parser = argparse.ArgumentParser()
for name in ("--challenge-dir", "--solution-runs-dir", "--output-path", "--mode", "--runs-file"):
    parser.add_argument(name)
options = parser.parse_args()
count = len(json.load(open(options.runs_file))["runs"])
summary = {"score": 1.0, "passed": count, "total": count}
metrics = [{"metric_name": "score", "value": 1.0}]
json.dump({"status": "passed", "validation_summary": summary, "aggregate_metrics": metrics},
          open(options.output_path, "w"))
"""
HARDENED = (
    *("docker", "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--init"),
    *("--security-opt", "no-new-privileges", "--pids-limit", "256", "--memory", "256m", "--memory-swap", "256m"),
    *("--cpus", "1", "--user", "65534", "--tmpfs", "/tmp:size=16m", IMAGE),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentics-bench-") as folder:
        root = Path(folder)
        bundle, solution = make_bundle(root, options.cases), make_solution(root)
        legs: dict[str, Callable[[], None]] = {
            "docker run loop": lambda: docker_loop(options.cases),
            "agentics, one case at a time": lambda: in_process(root, bundle, solution, 1),
            "agentics, default": lambda: in_process(root, bundle, solution, None),
            "agentics eval, the whole command": lambda: command(root, bundle, solution),
        }
        for leg in legs.values():
            leg()  # once unmeasured: caches, and the engine's probe
        report(legs, measure(legs, options.rounds), options.cases)


def measure(legs: dict[str, Callable[[], None]], rounds: int) -> list[dict[str, float]]:
    """Seconds of each leg, round by round."""
    seen = []
    for number in range(rounds):
        order = list(legs)
        random.shuffle(order)
        times = {}
        for name in order:
            began = time.perf_counter()
            legs[name]()
            times[name] = time.perf_counter() - began
        seen.append(times)
        print(f"round {number + 1}/{rounds}", file=sys.stderr, flush=True)
    return seen


def report(legs: dict[str, Callable[[], None]], seen: list[dict[str, float]], cases: int) -> None:
    base = "docker run loop"
    print(f"{cases} cases of `{CASE}` and their evaluator, median of {len(seen)} rounds, {os.cpu_count()} cores")
    print(f"{'':36}{'seconds':>9}{'ms / case':>11}{'ratio':>8}{'min':>7}{'max':>7}")
    for name in legs:
        seconds = statistics.median(times[name] for times in seen)
        ratios = [times[name] / times[base] for times in seen]
        spread = f"{statistics.median(ratios):8.2f}{min(ratios):7.2f}{max(ratios):7.2f}"
        print(f"{name:36}{seconds:9.2f}{seconds / (cases + 1) * 1000:11.0f}{spread}")


def docker_loop(cases: int) -> None:
    for _ in range(cases):
        subprocess.run([*HARDENED, "sh", "-c", CASE], check=True, capture_output=True)
    subprocess.run([*HARDENED, "python3", "-c", "import argparse, json"], check=True, capture_output=True)


def in_process(root: Path, bundle: Path, solution: Path, jobs: int | None) -> None:
    output = Path(tempfile.mkdtemp(dir=root))
    request = EvalRequest(bundles=(bundle,), solutions=((None, solution),), output_path=output, jobs=jobs)
    ended = evaluate(compile_request(request, load(root)), silent)
    if ended.outcomes[0].status != "passed":
        raise SystemExit(ended.outcomes[0].model_dump_json(indent=2))
    shutil.rmtree(output)


def command(root: Path, bundle: Path, solution: Path) -> None:
    output = Path(tempfile.mkdtemp(dir=root))
    words = ["eval", str(bundle), "--solution", str(solution), "--output-path", str(output), "--quiet"]
    argv = [sys.executable, "-m", "agentics", *words, "--exit-policy", "strict"]
    subprocess.run(argv, check=True, capture_output=True)
    shutil.rmtree(output)


def make_solution(root: Path) -> Path:
    folder = root / "sleeper"
    folder.mkdir()
    manifest = {"protocol": "zip_project", "protocol_version": 1, "commands": {"run": "run.sh"}}
    (folder / "agentics.solution.json").write_text(json.dumps(manifest))
    (folder / "run.sh").write_text(CASE + "\n")
    return folder


def make_bundle(root: Path, cases: int) -> Path:
    folder = root / "bundle"
    (folder / "public").mkdir(parents=True)
    (folder / "separated-evaluator").mkdir()
    (folder / "statement.md").write_text("# Sleep\n")
    (folder / "separated-evaluator" / "evaluate.py").write_text(EVALUATOR)
    keys = ("stdin_json", "stdin_text", "input_files", "output_files", "metadata")
    runs = [{"run_name": f"case-{n}", "interface": "stdio", **dict.fromkeys(keys)} for n in range(cases)]
    (folder / "public" / "runs.json").write_text(json.dumps({"runs": runs}))
    (folder / "spec.json").write_text(json.dumps(specification()))
    return folder


def specification() -> dict[str, object]:
    text = {"en": "Sleeps.", "zh": "睡眠。"}
    visibility = {"leaderboard": "hidden", "score_distribution": "hidden", "result_detail": "submitter_only"}
    return {
        "schema_version": 1,
        "challenge_name": "sleep-well",
        "challenge_title": "Sleep",
        "summary": text,
        "keywords": ["benchmark"],
        "solution": {"protocol": "zip_project", "manifest_file": "agentics.solution.json"},
        "targets": [target()],
        "starts_at": "2026-01-01T00:00:00Z",
        "closes_at": None,
        "eligibility": {"type": "open"},
        "validation_submission_limit": 100,
        "official_submission_limit": None,
        "visibility": visibility,
        "solution_publication": "private",
        "execution": execution(),
        "datasets": {
            "public_dir": "public",
            "private_benchmark_dir": None,
            "public_policy": "full",
            "private_benchmark_policy": "score_only",
            "private_benchmark_enabled": False,
        },
        "metric_schema": metrics(),
    }


def target() -> dict[str, object]:
    stage = {
        "timeout_sec": 10,
        "memory_limit_mb": 256,
        "cpu_limit_millis": 1000,
        "disk_limit_mb": 64,
        "network_access": "disabled",
    }
    image = {"source": "local", "reference": REFERENCE}
    profile = {
        "name": "small",
        "resource_description": None,
        "solution_image": image,
        "evaluator_image": image,
        "solution": {"setup": stage, "build": stage, "run": stage},
        "evaluator": {"setup": stage, "run": stage},
        "hardware_metadata": None,
    }
    return {
        "name": "linux-arm64-cpu",
        "docker_platform": "linux/arm64",
        "accelerator": None,
        "validation_enabled": True,
        "resource_profile": profile,
    }


def execution() -> dict[str, object]:
    command = ["python3", "separated-evaluator/evaluate.py"]
    return {
        "mode": "separated_evaluator",
        "separated_evaluator": {"command": command, "result_file": "result.json"},
        "validation_runs": "public/runs.json",
        "validation_setup": None,
        "official_runs": None,
        "official_evaluation_setup": None,
    }


def metrics() -> dict[str, object]:
    metric = {
        "name": "score",
        "label": "Score",
        "unit": None,
        "direction": "maximize",
        "visibility": "public",
        "metric_description": None,
    }
    return {"metrics": [metric], "ranking": {"primary_metric_name": "score", "tie_breaker_metric_names": None}}


if __name__ == "__main__":
    main()
