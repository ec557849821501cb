"""B3: the status of a set of metrics, and of a task from its subtasks."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentics.policy.verdict.metrics import status_from_metrics, status_from_subtasks

ALL = {"total_samples": 10, "valid_samples": 10, "error_count": 0, "error_rate": 0.0}

ROWS = [
    # metrics, status, reason
    ({}, "no_samples", "no_metrics"),
    ({"accuracy": 1.0}, "no_samples", "no_metrics"),
    ({"valid_samples": 10}, "no_samples", "no_metrics"),
    ({"total_samples": 10}, "no_samples", "no_metrics"),
    ({"total_samples": None, "valid_samples": None}, "no_samples", "no_metrics"),
    ({"total_samples": 0}, "no_samples", "no_samples"),
    ({"total_samples": 0, "error_rate": 1.0}, "no_samples", "no_samples"),
    ({"total_samples": 0.0, "valid_samples": 0}, "no_samples", "no_samples"),
    ({"run_samples": 0}, "no_samples", "no_samples"),
    ({"total_samples": 10, "valid_samples": 0, "connectivity_error_rate": 1}, "failed", "all_connectivity_errors"),
    ({"total_samples": 10, "connectivity_error_rate": 1.0}, "failed", "all_connectivity_errors"),
    ({"total_samples": 10, "valid_samples": 0, "invalid_response_rate": 1.0}, "failed", "all_invalid_responses"),
    (
        {"total_samples": 4, "valid_samples": 0, "invalid_response_rate": 1, "connectivity_error_rate": 1},
        "failed",
        "all_connectivity_errors",
    ),
    ({"total_samples": 10, "valid_samples": 0}, "failed", "no_valid_samples"),
    ({"total_samples": 10, "error_count": 10}, "failed", "no_valid_samples"),
    ({"total_samples": 10, "error_rate": 1.0}, "failed", "no_valid_samples"),
    ({"total_samples": 10, "valid_samples": 3, "error_rate": 1.0}, "failed", "all_samples_failed"),
    ({"total_samples": 10, "valid_samples": 3, "error_rate": 1.5}, "failed", "all_samples_failed"),
    ({"total_samples": 10, "valid_samples": 9}, "degraded", "partial_errors"),
    ({"total_samples": 10, "error_count": 1}, "degraded", "partial_errors"),
    ({"total_samples": 10, "error_rate": 0.1}, "degraded", "partial_errors"),
    ({**ALL, "invalid_response_rate": 0.01}, "degraded", "partial_errors"),
    ({**ALL, "connectivity_error_rate": 0.01}, "degraded", "partial_errors"),
    ({"total_samples": 10, "valid_samples": 9, "error_rate": 0.0}, "degraded", "partial_errors"),
    (ALL, "passed", None),
    ({"total_samples": 1, "valid_samples": 1}, "passed", None),
    ({"total_samples": 10, "error_count": 0}, "passed", None),
    ({"total_samples": 10, "error_rate": 0}, "passed", None),
    ({"run_samples": 5, "valid_samples": 5}, "passed", None),
    ({"valid_samples": 5, "error_count": 0}, "passed", None),
    ({"valid_samples": 5, "error_count": 1}, "degraded", "partial_errors"),
    ({"total_samples": 10.0, "valid_samples": 10.0}, "passed", None),
    ({**ALL, "valid_samples": 11}, "failed", "invalid_metrics"),
    ({**ALL, "error_count": 11}, "failed", "invalid_metrics"),
    ({**ALL, "error_count": 1}, "failed", "invalid_metrics"),
    ({"total_samples": 0, "valid_samples": 1}, "failed", "invalid_metrics"),
    ({"total_samples": 2.5, "valid_samples": 2.5}, "failed", "invalid_metrics"),
    ({**ALL, "total_samples": math.nan}, "failed", "invalid_metrics"),
    ({**ALL, "error_rate": math.nan}, "failed", "invalid_metrics"),
    ({**ALL, "total_samples": math.inf}, "failed", "invalid_metrics"),
    ({**ALL, "error_rate": -math.inf}, "failed", "invalid_metrics"),
    ({**ALL, "error_rate": -0.1}, "failed", "invalid_metrics"),
    ({"total_samples": -1}, "failed", "invalid_metrics"),
    ({"total_samples": True, "valid_samples": True}, "failed", "invalid_metrics"),
    ({**ALL, "error_rate": False}, "failed", "invalid_metrics"),
    ({"total_samples": "10", "valid_samples": 10}, "failed", "invalid_metrics"),
    ({**ALL, "error_rate": "0"}, "failed", "invalid_metrics"),
    ({**ALL, "valid_samples": [10]}, "failed", "invalid_metrics"),
    ({"total_samples": 10**400, "valid_samples": 10**400}, "failed", "invalid_metrics"),
]


@pytest.mark.parametrize(("metrics", "status", "reason"), ROWS)
def test_b3_metrics_give_the_status_of_the_table(metrics, status, reason):
    assert status_from_metrics(metrics) == (status, reason)


NUMBERS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["", "10", "x"]),
    st.integers(-2, 12),
    st.floats(),
    st.just(10),
    st.just(0),
)
NAMES = ("total_samples", "valid_samples", "error_count", "run_samples", "error_rate", "invalid_response_rate",
         "connectivity_error_rate", "response_rate")  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), NUMBERS))
def test_b3_passed_needs_positive_evidence_whatever_the_metrics(metrics):
    status, reason = status_from_metrics(metrics)
    assert (status == "passed") == (reason is None)
    if status == "passed":
        told = {k: v for k, v in metrics.items() if v is not None}
        assert all(type(v) in (int, float) and math.isfinite(v) and v >= 0 for v in told.values())
        assert not any(told.get(rate, 0) for rate in NAMES[4:7])
        assert told.keys() & {"valid_samples", "error_count", "error_rate"}
        total = told.get("total_samples", told.get("run_samples", told.get("valid_samples")))
        assert total >= 1
        assert told.get("valid_samples", total) == total


@pytest.mark.parametrize(
    ("statuses", "status", "reason"),
    [
        ([], "no_samples", "no_metrics"),
        (["passed"], "passed", None),
        (["passed", "passed"], "passed", None),
        (["passed", "degraded"], "degraded", "subtask_degraded"),
        (["degraded", "no_samples"], "no_samples", "subtask_no_samples"),
        (["no_samples", "skipped"], "skipped", "subtask_skipped"),
        (["skipped", "error"], "failed", "subtask_failure"),
        (["passed", "failed"], "failed", "subtask_failure"),
        (["passed", "pending"], "pending", "subtask_pending"),
        (["passed", "splendid"], "failed", "subtask_failure"),
    ],
)
def test_b3_a_task_is_as_good_as_its_worst_subtask(statuses, status, reason):
    assert status_from_subtasks(statuses) == (status, reason)
