"""One number for a suite: weights, missing tasks under both policies, what is no number, and standard errors."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentics.model.job.suite import Suite
from agentics.policy.outcome.suites import Measured, suite_score


def suite(*weights, aggregation="mean", policy="strict", **more):
    tasks = [{"id": f"t{index}", "weight": float(weight)} for index, weight in enumerate(weights)]
    said = {"schema_version": 1, "name": "s", "version": "1", "primary_metric": "em", "tasks": tasks, **more}
    return Suite.model_validate({**said, "aggregation": aggregation, "missing_tasks": policy})


def measured(*values):
    """Each a value, or a value and its standard error; None: the task has no result."""
    pairs = [value if isinstance(value, tuple) else (value, None) for value in values]
    return {
        f"t{index}|0": {"em": Measured(value=value, stderr=stderr), "other": Measured(value=9.0)}
        for index, (value, stderr) in enumerate(pairs)
        if value is not None
    }


@pytest.mark.parametrize(
    ("policy", "score", "reason"), [("strict", None, "missing_answers"), ("renormalize", 0.7, None)]
)
def test_a_task_that_lacks_answers_leaves_a_strict_suite_without_a_score(policy, score, reason):
    found = measured(0.5, 0.9)
    found["t1|0"]["em"] = Measured(value=0.9, n=8, of=16, complete=False)
    told = suite_score(suite(1, 1, policy=policy), found)
    assert (told.score, told.reason, told.partial_tasks) == (score, reason, ("t1|0",))
    assert [(task.n, task.of) for task in told.tasks] == [(None, None), (8, 16)]


NAN = math.nan
TABLE = [
    # weights, aggregation, policy, values, score, missing, reason
    ((1, 1), "mean", "strict", (0.2, 0.6), 0.4, (), None),
    ((3, 1), "mean", "strict", (0.2, 0.6), 0.4, (), None),
    ((3, 1), "weighted_mean", "strict", (0.2, 0.6), 0.3, (), None),
    ((3, 1), "min", "strict", (0.2, 0.6), 0.2, (), None),
    ((1, 1), "geometric_mean", "strict", (0.4, 0.9), 0.6, (), None),
    ((1, 1), "geometric_mean", "strict", (0.0, 0.9), 0.0, (), None),
    ((1, 1), "geometric_mean", "strict", (-0.1, 0.9), None, (), "negative_value"),
    ((1,), "mean", "strict", (0.3,), 0.3, (), None),
    ((5,), "weighted_mean", "strict", (0.3,), 0.3, (), None),
    ((1,), "min", "strict", (0.3,), 0.3, (), None),
    ((1,), "geometric_mean", "strict", (0.3,), 0.3, (), None),
    ((1, 1), "mean", "strict", (0.2, None), None, ("t1|0",), "missing_tasks"),
    ((1, 1), "mean", "renormalize", (0.2, None), 0.2, ("t1|0",), None),
    ((3, 1, 4), "weighted_mean", "renormalize", (0.2, 0.6, None), 0.3, ("t2|0",), None),
    ((1, 1), "min", "renormalize", (None, 0.6), 0.6, ("t0|0",), None),
    ((1, 1), "geometric_mean", "renormalize", (None, 0.6), 0.6, ("t0|0",), None),
    ((1, 1), "mean", "strict", (NAN, 0.6), None, ("t0|0",), "missing_tasks"),
    ((1, 1), "mean", "renormalize", (NAN, 0.6), 0.6, ("t0|0",), None),
    ((1, 1), "mean", "renormalize", (math.inf, 0.6), 0.6, ("t0|0",), None),
    ((1, 1), "mean", "strict", (None, None), None, ("t0|0", "t1|0"), "missing_tasks"),
    ((1, 1), "mean", "renormalize", (None, NAN), None, ("t0|0", "t1|0"), "nothing_measured"),
]


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_d8_the_score_of_a_suite(row):
    weights, aggregation, policy, values, score, missing, reason = row
    found = suite_score(suite(*weights, aggregation=aggregation, policy=policy), measured(*values))
    assert found.score == (None if score is None else pytest.approx(score))
    assert (found.missing_tasks, found.reason) == (missing, reason)
    assert found.renormalized == (score is not None and bool(missing))
    assert (found.aggregation, found.policy, found.suite, found.version) == (aggregation, policy, "s", "1")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({}, "no_result"),
        ({"t0|0": {"other": Measured(value=1.0)}}, "no_metric"),
        ({"t0|0": {"em": Measured(value=None)}}, "not_a_number"),
        ({"t0|0": {"em": Measured(value=NAN)}}, "not_a_number"),
        ({"t0|5": {"em": Measured(value=1.0)}}, "no_result"),
    ],
)
def test_d8_a_missing_task_says_why_it_is_missing(found, why):
    score = suite_score(suite(1), found)
    assert ([task.missing for task in score.tasks], score.missing_tasks) == ([why], ("t0|0",))


def test_d8_a_tasks_own_metric_comes_before_the_suites():
    tasks = [{"id": "t0", "primary_metric": "other"}, {"id": "t1"}]
    found = suite_score(suite(tasks=tasks), measured(0.5, 0.5))
    assert [task.metric for task in found.tasks] == ["other", "em"]
    assert found.score == (9.0 + 0.5) / 2


@pytest.mark.parametrize(
    ("weights", "aggregation", "values", "stderr"),
    [
        ((1, 1), "mean", ((0.5, 0.3), (0.5, 0.4)), 0.25),
        ((1,), "mean", ((0.5, 0.3),), 0.3),
        ((3, 1), "weighted_mean", ((0.5, 0.4), (0.5, 1.6)), math.sqrt(1.2**2 + 1.6**2) / 4),
        ((1, 1), "mean", ((0.5, 0.3), (0.5, None)), None),
        ((1, 1), "mean", ((0.5, 0.3), (0.5, NAN)), None),
        ((1, 1), "min", ((0.5, 0.3), (0.5, 0.4)), None),
        ((1, 1), "geometric_mean", ((0.5, 0.3), (0.5, 0.4)), None),
    ],
)
def test_d8_a_standard_error_is_told_where_there_is_one(weights, aggregation, values, stderr):
    found = suite_score(suite(*weights, aggregation=aggregation), measured(*values))
    assert found.stderr == (None if stderr is None else pytest.approx(stderr))


def test_d8_the_standard_error_of_a_renormalized_score_is_that_of_what_was_measured():
    found = suite_score(suite(1, 1, 1, policy="renormalize"), measured((0.5, 0.3), None, (0.5, 0.4)))
    assert found.stderr == pytest.approx(0.25)


VALUES = st.floats(min_value=0, max_value=1)
PAIRS = st.lists(st.tuples(st.floats(min_value=1e-3, max_value=1e6), VALUES), min_size=1, max_size=8)
KINDS = st.sampled_from(["mean", "weighted_mean", "min", "geometric_mean"])


@given(PAIRS, KINDS)
def test_a_score_lies_between_the_least_and_the_greatest(pairs, kind):
    weights, values = zip(*pairs, strict=True)
    score = suite_score(suite(*weights, aggregation=kind), measured(*values)).score
    assert min(values) - 1e-9 <= score <= max(values) + 1e-9


@given(PAIRS, KINDS, st.randoms(use_true_random=False))
def test_the_order_of_tasks_does_not_count(pairs, kind, random):
    shuffled = random.sample(pairs, len(pairs))
    scores = [
        suite_score(suite(*(w for w, _ in some), aggregation=kind), measured(*(v for _, v in some))).score
        for some in (pairs, shuffled)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-12)


@given(PAIRS, KINDS, st.data())
def test_a_renormalized_score_is_the_score_of_a_suite_without_the_missing_tasks(pairs, kind, data):
    gone = data.draw(st.sets(st.integers(0, len(pairs) - 1), max_size=len(pairs) - 1))
    weights, values = zip(*pairs, strict=True)
    there = [None if index in gone else value for index, value in enumerate(values)]
    found = suite_score(suite(*weights, aggregation=kind, policy="renormalize"), measured(*there))
    kept = [pair for index, pair in enumerate(pairs) if index not in gone]
    alone = suite_score(suite(*(w for w, _ in kept), aggregation=kind), measured(*(v for _, v in kept)))
    assert found.score == pytest.approx(alone.score)
    assert len(found.missing_tasks) == len(gone)
    assert suite_score(suite(*weights, aggregation=kind), measured(*there)).score == (
        None if gone else pytest.approx(alone.score)
    )


@given(PAIRS, st.floats(min_value=1e-3, max_value=1e3))
def test_a_weighted_mean_knows_proportions_only(pairs, factor):
    weights, values = zip(*[(min(w, 1e3), v) for w, v in pairs], strict=True)
    first = suite_score(suite(*weights, aggregation="weighted_mean"), measured(*values))
    second = suite_score(suite(*(w * factor for w in weights), aggregation="weighted_mean"), measured(*values))
    assert first.score == pytest.approx(second.score)
