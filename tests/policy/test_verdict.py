"""The one table of how a trial is judged: evidence on the left, status, reason and fault on the right."""

from __future__ import annotations

import pytest

from agentics.model.bundle.evaluator_result import Result
from agentics.model.evidence.trial_evidence import (
    CaseRecord,
    ContainerRecord,
    ResultReading,
    SessionRecord,
    SharedUse,
    TrialEvidence,
    Trouble,
    UsedUp,
    Violation,
)
from agentics.policy.verdict.decision import judge

OOM = {"ended": "out_of_memory", "exit_code": 137, "oom_killed": True}
TIMEOUT = {"ended": "timed_out", "exit_code": 124}
CRASH = {"ended": "exited", "exit_code": 1}
FLOOD = {"ended": "output_limit", "exit_code": 137}
FULL = {"shared": SharedUse(runs=1, used_up=(UsedUp(resource="shm_bytes", used=9, limit=10),))}
NOT_APART = {"shared": SharedUse(runs=1, users_apart=False, used_up=FULL["shared"].used_up), "runtime": "runsc"}
CLEAN = {"ended": "exited", "exit_code": 0}


def container(role="separated-evaluator", stage="evaluate", **end):
    facts = {
        "stage": stage,
        "role": role,
        "image_id": "sha256:1",
        "signal": None,
        "oom_killed": False,
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:01Z",
        "wall_s": 1.0,
        "cpu_s": None,
        "memory_peak_bytes": None,
        "pids_peak": None,
        "timeout_s": 5,
        "memory_limit_bytes": 1 << 28,
    }
    return ContainerRecord.model_validate({**facts, **CLEAN, **end})


def case(violation=None, **end):
    return CaseRecord(
        run_name="a",
        alias="run-0001",
        interface="stdio",
        container=container("run", "cases", **end),
        violation=violation,
        place_kind="loop",
    )


def result(status="passed", passed=2, total=2, mode="validation"):
    summary = {"score": 1.0, "passed": passed, "total": total}
    return ResultReading(result=Result.model_validate({"status": status, f"{mode}_summary": summary}))


def separated(**changes):
    base = {
        "topology": "separated_evaluator",
        "mode": "validation",
        "target": "linux-arm64-cpu",
        "trust": "isolated",
        "images": {},
        "containers": (container(),),
        "cases": (case(), case()),
        "reading": result(),
    }
    return TrialEvidence(**{**base, **changes})


def session(solution=CLEAN, evaluator=CLEAN, **facts):
    record = SessionRecord(
        **{
            "session_name": "s",
            "solution": container("run", "session", **solution),
            "evaluator": container("interactive-evaluator", "session", **evaluator),
            "first_to_end": "solution",
            "first_to_fail": None,
            "evaluator_waiting": False,
            "solution_bytes": 0,
            "evaluator_bytes": 0,
            "transcript_ref": None,
            "transcript_truncated": False,
            **facts,
        }
    )
    return separated(topology="piped_stdio", cases=(), containers=(record.solution, record.evaluator), session=record)


def coexecuted(reading=None, **end):
    evaluator = container("coexecuted-evaluator", **{"shared": SharedUse(runs=1, left_behind=False), **end})
    return separated(
        topology="coexecuted_benchmark", trust="shared_container", cases=(), containers=(evaluator,), reading=reading
    )


def trouble(code, fault, **more):
    return separated(trouble=Trouble(stage="x", code=code, message="m", fault=fault, **more), reading=None)


PEER = {"first_to_fail": "solution"}
TABLE = [
    ("clean and passed", separated(), "passed", None, None),
    ("one case crashed", separated(cases=(case(), case(**CRASH))), "degraded", "partial_errors", "participant"),
    (
        "one case left a link",
        separated(cases=(case(), case(violation=Violation(kind="link", detail="l")))),
        "degraded",
        "partial_errors",
        "participant",
    ),
    ("not all points", separated(reading=result(passed=1)), "degraded", "partial_pass", None),
    ("evaluator says failed", separated(reading=result("failed", 0)), "failed", "verdict_fail", None),
    (
        "failed, one case ran out of memory",
        separated(cases=(case(), case(**OOM)), reading=result("failed", 0)),
        "failed",
        "verdict_fail",
        None,
    ),
    (
        "failed, every case ended badly",
        separated(cases=(case(**TIMEOUT), case(**OOM)), reading=result("failed", 0)),
        "failed",
        "all_samples_failed",
        "participant",
    ),
    ("no case counted", separated(reading=result(passed=0, total=0)), "no_samples", "no_samples", None),
    ("evaluator reports its own error", separated(reading=result("error")), "error", "evaluator_error", "challenge"),
    (
        "evaluator crashed, though a result lies there",
        separated(containers=(container(**CRASH),)),
        "error",
        "evaluator_crashed",
        "challenge",
    ),
    (
        "evaluator timed out",
        separated(containers=(container(**TIMEOUT),), reading=None),
        "error",
        "evaluator_timed_out",
        "challenge",
    ),
    (
        "evaluator out of memory",
        separated(containers=(container(**OOM),), reading=None),
        "error",
        "evaluator_out_of_memory",
        "challenge",
    ),
    (
        "no result file",
        separated(reading=ResultReading(problem="result_missing")),
        "error",
        "result_missing",
        "challenge",
    ),
    (
        "invalid result file",
        separated(reading=ResultReading(problem="result_invalid", detail="x")),
        "error",
        "result_invalid",
        "challenge",
    ),
    (
        "setup failed",
        trouble("solution_setup_failed", "participant"),
        "failed",
        "solution_setup_failed",
        "participant",
    ),
    (
        "build failed",
        trouble("solution_build_failed", "participant"),
        "failed",
        "solution_build_failed",
        "participant",
    ),
    (
        "challenge setup failed",
        trouble("challenge_setup_failed", "challenge"),
        "error",
        "challenge_setup_failed",
        "challenge",
    ),
    ("no cases asked for", trouble("no_cases", "user"), "no_samples", "no_samples", None),
    (
        "the engine broke",
        trouble("engine_error", "infrastructure", retryable=True),
        "error",
        "engine_error",
        "infrastructure",
    ),
    ("interrupted", trouble("interrupted", "user"), "pending", "interrupted", None),
    ("session clean", session(), "passed", None, None),
    (
        "solution crashed first, evaluator still passes it",
        session(solution=CRASH, **PEER),
        "degraded",
        "partial_errors",
        "participant",
    ),
    (
        "solution ended badly only after the evaluator was done",
        session(solution={"ended": "killed", "exit_code": 137}, first_to_end="evaluator"),
        "passed",
        None,
        None,
    ),
    (
        "solution ran out of time, evaluator then crashed",
        session(solution=TIMEOUT, evaluator=CRASH, **PEER),
        "failed",
        "solution_timed_out",
        "participant",
    ),
    (
        "solution ran out of memory, evaluator then crashed",
        session(solution=OOM, evaluator=CRASH, **PEER),
        "failed",
        "solution_out_of_memory",
        "participant",
    ),
    (
        "solution flooded",
        session(solution=FLOOD, evaluator=CRASH, **PEER),
        "failed",
        "solution_output_limit",
        "participant",
    ),
    (
        "evaluator crashed first",
        session(solution=CRASH, evaluator=CRASH, first_to_fail="evaluator", first_to_end="evaluator"),
        "error",
        "evaluator_crashed",
        "challenge",
    ),
    (
        "evaluator ran out of time waiting for a silent solution",
        session(evaluator=TIMEOUT, evaluator_waiting=True, first_to_fail="evaluator"),
        "failed",
        "solution_kept_evaluator_waiting",
        "participant",
    ),
    (
        "evaluator hung by itself",
        session(evaluator=TIMEOUT, first_to_fail="evaluator"),
        "error",
        "evaluator_timed_out",
        "challenge",
    ),
    ("shared container crashed", coexecuted(**CRASH), "error", "evaluator_crashed", "challenge"),
    (
        "shared container crashed while the solution held most of /dev/shm",
        coexecuted(**CRASH, **FULL),
        "failed",
        "shared_container_exhausted",
        "participant",
    ),
    (
        "evaluator said error while the solution held most of /dev/shm",
        coexecuted(result("error", 0), **FULL),
        "failed",
        "shared_container_exhausted",
        "participant",
    ),
    (
        "evaluator left no result while the solution held most of /dev/shm",
        coexecuted(ResultReading(problem="result_missing"), **FULL),
        "failed",
        "shared_container_exhausted",
        "participant",
    ),
    ("solution held most of /dev/shm, and passed", coexecuted(result(), **FULL), "passed", None, None),
    *(
        (
            f"users are not kept apart, evaluator {name}",
            ended,
            "error",
            "users_not_apart",
            "infrastructure",
        )
        for name, ended in (
            ("passed it", coexecuted(result(), **NOT_APART)),
            ("failed it", coexecuted(result("failed", 0), **NOT_APART)),
            ("crashed", coexecuted(**CRASH, **NOT_APART)),
        )
    ),
    ("shared container, evaluator said error", coexecuted(result("error", 0)), "error", "evaluator_error", "challenge"),
    (
        "shared container out of time",
        coexecuted(**TIMEOUT),
        "failed",
        "shared_container_timed_out",
        "participant",
    ),
    (
        "shared container out of memory",
        coexecuted(**OOM),
        "failed",
        "shared_container_out_of_memory",
        "participant",
    ),
]


@pytest.mark.parametrize(
    ("evidence", "status", "reason", "fault"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_a_trial_is_judged_by_the_table(evidence, status, reason, fault):
    judgement = judge(evidence)
    assert (judgement.status, judgement.reason, judgement.fault) == (status, reason, fault)


@pytest.mark.parametrize("evidence", [row[1] for row in TABLE if row[4] == "infrastructure"])
def test_an_infrastructure_fault_is_neither_success_nor_failure(evidence):
    assert judge(evidence).outcome == "error"


def test_a_session_that_the_solution_lost_first_is_not_blamed_on_the_evaluator_that_then_says_failed():
    evidence = session(solution=CRASH, **PEER).model_copy(update={"reading": result("failed", 0, 1)})
    assert judge(evidence).reason == "all_samples_failed"


def test_an_official_trial_is_judged_by_the_official_summary():
    evidence = separated(mode="official", reading=result(passed=1, total=2, mode="official"))
    assert judge(evidence).reason == "partial_pass"
