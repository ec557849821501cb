"""window-medians in a coexecuted container: its honest solutions are measured, its cheats come to nothing."""

import io
import json
import tarfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.docker

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
PROPOSAL = BUNDLES / "window-medians"
OVERLAY = BUNDLES / "overlays" / "window-medians" / "official-cases"
EXPECTED = json.loads((PROPOSAL / "expected.json").read_text())
# The bundle comes through stdin into a place of the evaluator's: no readable copy lies anywhere else.
EVALUATE = """
tar -x -C /challenge && mkdir /output/tmp && cd /challenge && chmod -R go-rwx . || exit 90
$1 python3 coexecuted-evaluator/evaluate.py --challenge-dir /challenge --workspace-dir /workspace \
  --output-path /output/result.json --mode "$0" --target linux-arm64-cpu
code=$?
cat /output/result.json
exit $code
"""
WITHOUT_LAUNCHER = "env -u AGENTICS_RUN_AS_SOLUTION"


def bundle_tar(mode):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(PROPOSAL / "v1", arcname=".")
        if mode == "official":
            tar.add(OVERLAY / "private-benchmark", arcname="./private-benchmark")
    return packed.getvalue()


def evaluate(coexecuted, solution, prefix=""):
    mode = EXPECTED[solution]["mode"]
    argv = coexecuted.supervisor("sh", "-c", EVALUATE, mode, prefix)
    workspace = f"{PROPOSAL / 'solutions' / solution}:/workspace:ro"
    return coexecuted.run_argv(argv, bundle_tar(mode), volumes=[workspace], memory="512m")


def speedup(result):
    return {each["metric_name"]: each["value"] for each in result["aggregate_metrics"]}["speedup"]


@pytest.mark.parametrize("solution", EXPECTED)
def test_under_the_launcher_each_solution_comes_to_what_it_is_said_to_come_to(solution, coexecuted):
    ended = evaluate(coexecuted, solution)
    result = ended.said
    assert result["status"] == EXPECTED[solution]["status"], result
    assert (speedup(result) > 0) == (result["status"] == "passed")
    assert ended.facts.runs > 0
    assert ended.facts.left_behind is False


def test_without_the_launcher_the_private_cases_are_read_so_it_is_the_launcher_that_prevents_it(coexecuted):
    ended = evaluate(coexecuted, "cheat-read-private", WITHOUT_LAUNCHER)
    assert ended.said["status"] == "passed"
    assert not ended.facts.runs


def test_without_the_launcher_the_evaluator_is_killed_so_it_is_the_launcher_that_prevents_it(coexecuted):
    ended = evaluate(coexecuted, "cheat-kill-evaluator", WITHOUT_LAUNCHER)
    assert ended.exit_code != 0
    assert ended.evaluator == {"signal": 9}
