"""window-medians without containers and without a launcher, as on a platform that has none."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
PROPOSAL = BUNDLES / "window-medians"
BUNDLE = PROPOSAL / "v1"
OVERLAY = BUNDLES / "overlays" / "window-medians" / "official-cases"
SPEC = json.loads((BUNDLE / "spec.json").read_text())
EXPECTED = json.loads((PROPOSAL / "expected.json").read_text())


def challenge_for(mode, place):
    shutil.copytree(BUNDLE, place)
    if mode == "official":
        shutil.copytree(OVERLAY, place, dirs_exist_ok=True)
    return place


def evaluate(tmp_path, mode, workspace):
    """The evaluator's exit code and result, with the argument vector of the contract."""
    challenge = challenge_for(mode, tmp_path / "challenge")
    output = tmp_path / "output"
    (output / "tmp").mkdir(parents=True)
    evaluator = SPEC["execution"]["coexecuted_evaluator"]
    given = {
        "--challenge-dir": challenge,
        "--workspace-dir": workspace,
        "--output-path": output / evaluator["result_file"],
        "--mode": mode,
        "--target": SPEC["targets"][0]["name"],
    }
    command = [sys.executable, *evaluator["command"][1:], *(str(word) for pair in given.items() for word in pair)]
    env = {**os.environ, "AGENTICS_OUTPUT_DIR": str(output), "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("AGENTICS_RUN_AS_SOLUTION", None)
    done = subprocess.run(command, check=False, cwd=challenge, env=env, capture_output=True, timeout=120)
    result = output / evaluator["result_file"]
    return done.returncode, json.loads(result.read_text()) if result.exists() else None


def evaluate_source(tmp_path, source):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "solution.py").write_text(source)
    code, result = evaluate(tmp_path, "validation", workspace)
    assert code == 0
    return result


def metrics(result):
    return {each["metric_name"]: each["value"] for each in result["aggregate_metrics"]}


def test_every_solution_is_listed_and_every_listed_one_exists():
    assert {path.name for path in (PROPOSAL / "solutions").iterdir()} == set(EXPECTED)


def test_the_official_cases_are_no_part_of_the_proposal():
    private = json.loads((OVERLAY / "private-benchmark" / "cases.json").read_text())
    assert not (BUNDLE / SPEC["datasets"]["private_benchmark_dir"]).exists()
    assert not [
        path for path in PROPOSAL.rglob("*") if path.is_file() and private["seed"].encode() in path.read_bytes()
    ]


EVERY_PIPE = """
import os
def medians(values, window):
    for fd in range(3, 9):
        try:
            os.write(fd, {})
        except OSError:
            pass
"""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "crashed"),
        ("this is not Python", "crashed"),
        ("def medians(values, window): return None", "wrong-answer"),
        ("def medians(values, window): return {}", "wrong-answer"),
        ("def medians(values, window): return [float('nan')]", "wrong-answer"),
        ("def medians(values, window): return [True] * (len(values) - window + 1)", "wrong-answer"),
        ("def medians(values, window): return object()", "crashed"),
        ("import os\nos.closerange(0, 100)\nmedians = None", "crashed"),
        ("import sys\ndef medians(values, window): sys.exit(0)", "crashed"),
        (EVERY_PIPE.format("b'[' * 2 * 10**6"), "too-much-output"),
        (EVERY_PIPE.format("b'\\xff \\n' * 9"), "not-an-answer"),
    ],
)
def test_a_worker_that_breaks_its_side_fails_with_a_reason_and_never_the_evaluator(source, reason, tmp_path):
    result = evaluate_source(tmp_path, source)
    assert result["status"] == "failed"
    assert metrics(result)["speedup"] == 0.0
    assert result["logs"][0] == f"outcome: {reason}"


def test_what_a_solution_prints_is_no_answer(tmp_path):
    source = (PROPOSAL / "solutions" / "accepted-fast" / "solution.py").read_text()
    noisy = source.replace("    inside = sorted", "    print('0 2', '[]', sep='\\n', flush=True)\n    inside = sorted")
    assert noisy != source
    assert evaluate_source(tmp_path, noisy)["status"] == "passed"
