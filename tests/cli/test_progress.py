"""What is told while a run goes on: what was measured of a case, and nothing that only the evaluator can know."""

from __future__ import annotations

import json

import pytest

from agentics.model.evidence.trial_evidence import ContainerRecord, Violation
from agentics.policy.verdict.endings import ending
from tests.fake_engine import exited, out_of_memory, timed_out

RECORD = ContainerRecord(
    stage="cases",
    role="run",
    image_id="i",
    ended="exited",
    exit_code=0,
    signal=None,
    oom_killed=False,
    started_at="",
    finished_at="",
    wall_s=0.204,
    cpu_s=0.1,
    memory_peak_bytes=1,
    pids_peak=1,
    timeout_s=3,
    memory_limit_bytes=128 << 20,
)
ENDINGS = {
    "ran (0.20 of 3 s)": {},
    "crashed (exit code 1 after 0.20 of 3 s)": {"exit_code": 1},
    "crashed (exit code 139, SIGSEGV, after 0.20 of 3 s)": {"exit_code": 139},
    "crashed (exit code 255 after 0.20 of 3 s)": {"exit_code": 255},
    "timed out (limit 3 s)": {"ended": "timed_out", "exit_code": 124},
    "out of memory (limit 128 MiB, after 0.20 of 3 s)": {"ended": "out_of_memory", "exit_code": 137},
    "wrote more output than may be carried (after 0.20 of 3 s)": {"ended": "output_limit", "exit_code": 137},
    "wrote more files than its disk limit allows (after 0.20 of 3 s)": {"ended": "disk_limit", "exit_code": 137},
    "was killed (after 0.20 of 3 s)": {"ended": "killed", "exit_code": 137},
}


@pytest.mark.parametrize("phrase", ENDINGS)
def test_an_ending_is_told_with_its_figures_beside_their_limits(phrase):
    assert ending(RECORD.model_copy(update=ENDINGS[phrase])) == phrase


def test_what_a_case_left_and_may_not_outweighs_how_it_ended():
    refused = Violation(kind="too_many_files", detail="more than 8192 files")
    assert ending(RECORD, refused) == "refused: too many files (0.20 of 3 s)"


def test_progress_says_how_a_case_ended_and_not_that_it_is_right(lab):
    lab.bundle("one", cases=4)
    ways = {"run-0001": exited(), "run-0002": exited(1), "run-0003": timed_out(), "run-0004": out_of_memory()}
    lab.engine.behaviours["run"] = lambda container: ways[container.env["AGENTICS_RUN_NAME"]]
    said = lab.eval("one")
    told = [line.partition(": case ")[2] for line in said.err.splitlines() if ": case " in line]
    assert [line.split(" ")[0] for line in told] == ["1/4", "2/4", "3/4", "4/4"]
    assert sorted(line.partition(" ")[2] for line in told) == [
        "case-1: ran (0.01 of 3 s)",
        "case-2: crashed (exit code 1 after 0.01 of 3 s)",
        "case-3: timed out (limit 3 s)",
        "case-4: out of memory (limit 128 MiB, after 0.01 of 3 s)",
    ]
    log = (lab.home / "outputs/r/runtime/eval.log").read_text().splitlines()
    cases = [json.loads(line.split(" ", 2)[2]) for line in log if " case_finished " in line]
    assert sorted((case["clean"], case["ended"], case["exit_code"]) for case in cases) == [
        (False, "exited", 1),
        (False, "out_of_memory", 137),
        (False, "timed_out", 124),
        (True, "exited", 0),
    ]
