"""Models are compared only where they were measured alike; a leaderboard never mixes what is not the same."""

from __future__ import annotations

import json

import pytest

from agentics.errors import UsageError
from agentics.model.job.worker_protocol import DetailRow, MetricValue
from agentics.policy.jobs.comparison import (
    Contender,
    check_comparable,
    compare_jobs,
    differing,
    leaderboard,
    sample_values,
)
from tests.policy.jobfacts import answer, job_facts, judgements, jury, result, seed_report

LOWER = {"ppl": {"higher_is_better": False}}


def measured(task="sums", metrics=None, data="sha256:d", **values):
    facts = job_facts([answer(0)], [seed_report(**(values or {"em": 0.5}))], metrics)
    facts = facts.model_copy(update={"ready": facts.ready.model_copy(update={"data_sha256": data})})
    return result([answer(0)], facts=facts, task=task)


def judged(judges=None):
    return result([answer(0)], said=judgements(a="Y"), judges=judges or jury("a"))


def settings(**comparability):
    return result([answer(0)], comparability=comparability)


def contender(name, score=None, **results):
    return Contender(name=name, score=score, results={f"{task}|0": each for task, each in results.items()})


DIFFERENT = [
    (measured(), measured(), ()),
    (measured(), measured(data="sha256:e"), ("data",)),
    (measured(), measured("others"), ("task",)),
    (measured(), judged(), ("mode",)),
    (settings(generation=1), settings(generation=2), ("generation",)),
    (settings(generation=1), settings(generation=1, suite="s@1"), ("suite",)),
    (settings(scoring={"judges": "a"}, x=1), settings(scoring={"judges": "b"}, x=2), ("scoring", "x")),
]


@pytest.mark.parametrize(("one", "other", "parts"), DIFFERENT)
def test_what_differs_is_named(one, other, parts):
    assert differing(one, other) == differing(other, one) == parts


def test_a_key_that_differs_with_nothing_to_say_why_is_not_comparable():
    one = measured().model_copy(update={"compared_on": {}})
    other = one.model_copy(update={"comparability": "sha256:else"})
    assert differing(one, other) == ("comparability",)


def refused(action, *given):
    with pytest.raises(UsageError) as caught:
        action(*given)
    assert caught.value.code == "not_comparable"
    return caught.value.message


def test_d9_scoring_modes_are_never_mixed():
    one, other = contender("a", 0.5, sums=measured()), contender("b", 0.6, sums=judged())
    assert "sums|0: mode (a, b)" in refused(compare_jobs, one, other)
    assert "mode" in refused(leaderboard, [one, other])


def test_d9_comparability_keys_are_never_mixed():
    one = contender("a", 0.5, sums=measured())
    odd = contender("b", 0.6, sums=measured(data="sha256:e"))
    assert "sums|0: data (a, b)" in refused(compare_jobs, one, odd)
    assert "data" in refused(leaderboard, [one, contender("c", 0.7, sums=measured()), odd])


def test_d9_scores_of_other_tasks_are_never_mixed():
    one = contender("a", 0.5, sums=measured())
    assert "not of the same tasks: more|0" in refused(
        leaderboard, [one, contender("b", 0.6, sums=measured(), more=measured("more"))]
    )
    assert "no task in common" in refused(compare_jobs, one, contender("b", more=measured("more")))


def test_d9_scores_that_are_better_high_and_low_are_never_mixed():
    both = {"sums": measured(), "text": measured("text", LOWER, ppl=3.0)}
    assert "directions" in refused(leaderboard, [contender("a", 0.5, **both)])


def test_many_differences_are_counted():
    names = [f"t{n}" for n in range(9)]
    one = contender("a", **{name: measured(name) for name in names})
    other = contender("b", **{name: measured(name, data="sha256:e") for name in names})
    assert "and 4 more" in refused(check_comparable, [one, other])


TEXT = {"em": {"higher_is_better": True, "aggregation": "corpus_bleu"}}


def test_a_metric_that_is_no_mean_is_compared_whole_with_the_standard_error_of_both():
    found = compare_jobs(
        contender("a", sums=measured("sums", TEXT, em=MetricValue(value=0.5, stderr=0.3, n=4))),
        contender("b", sums=measured("sums", TEXT, em=MetricValue(value=0.6, stderr=0.4, n=4))),
    )
    metric = found.tasks[0].metrics[0]
    assert metric.difference == pytest.approx(0.1)
    assert metric.stderr == pytest.approx(0.5)
    assert (metric.better, metric.primary, metric.pairs, metric.left_out) == (True, True, None, 0)


def test_a_metric_that_is_no_mean_has_no_difference_where_one_side_lacks_answers():
    both = {"m": {"higher_is_better": True, "aggregation": "corpus"}, "em": {"higher_is_better": True}}
    partial = [answer(0), answer(1, "failed"), answer(2), answer(3)]
    seeds = [seed_report(m=MetricValue(value=0.9, n=3), em=MetricValue(value=0.9, n=3))]
    left = result(partial, facts=job_facts(partial, seeds, both))
    right = measured("sums", both, m=0.5, em=0.5)
    sides = [
        Contender(name=name, results={"sums|0": each}, samples={"sums|0": {"em": {(0, "0"): 1.0}}})
        for name, each in (("a", left), ("b", right))
    ]
    metrics = {metric.metric: metric for metric in compare_jobs(*sides).tasks[0].metrics}
    assert (metrics["m"].difference, metrics["m"].left_out) == (None, 1)
    assert (metrics["em"].difference, metrics["em"].pairs, metrics["em"].left_out) == (0.0, 1, 3)


@pytest.mark.parametrize(
    ("one", "other", "higher", "better"),
    [(0.5, 0.6, True, True), (0.5, 0.4, True, False), (0.5, 0.5, True, None), (3.0, 2.0, False, True)],
)
def test_better_is_what_the_metric_says(one, other, higher, better):
    metrics = {"m": {"higher_is_better": higher}}
    sides = [contender(name, sums=measured("sums", metrics, m=value)) for name, value in (("a", one), ("b", other))]
    assert compare_jobs(*sides).tasks[0].metrics[0].better is better


def test_without_a_value_in_common_there_is_no_comparison():
    sides = [contender("a", sums=measured(em=MetricValue(value=None, n=0))), contender("b", sums=measured())]
    assert "no document in common" in refused(compare_jobs, *sides)


def test_tasks_and_metrics_of_one_side_are_named_or_left_out():
    one = contender("a", sums=measured(em=0.5, f1=0.1), left=measured("left"))
    other = contender("b", sums=measured(em=0.5), right=measured("right"))
    found = compare_jobs(one, other)
    assert [task.task for task in found.tasks] == ["sums|0"]
    assert [metric.metric for metric in found.tasks[0].metrics] == ["em"]
    assert (found.baseline_only, found.variant_only) == (("left|0",), ("right|0",))


def sampled(name, values):
    """A contender whose samples of `em` are these, by document."""
    samples = {(0, doc): value for doc, value in values.items()}
    return Contender(name=name, results={"sums|0": measured()}, samples={"sums|0": {"em": samples}})


def test_the_documents_that_both_have_are_compared_in_pairs_and_the_others_are_counted():
    found = compare_jobs(sampled("a", {"a": 0.0, "b": 1.0, "c": 0.0}), sampled("b", {"a": 1.0, "b": 1.0, "d": 1.0}))
    metric = found.tasks[0].metrics[0]
    assert (metric.pairs, metric.left_out, metric.baseline, metric.variant) == (2, 2, 0.5, 1.0)
    assert (metric.difference, metric.better) == (0.5, True)
    assert metric.stderr == pytest.approx(0.5)
    assert metric.interval.low < 0.5 < metric.interval.high


def test_documents_that_only_one_side_has_are_no_comparison():
    assert "no document in common" in refused(compare_jobs, sampled("a", {"a": 0.0}), sampled("b", {"b": 1.0}))


def test_only_numbers_of_answered_documents_are_paired():
    said = {"task": "t", "fewshot": 0, "key": "k", "sampling": "generative", "status": "answered", "query": ""}
    empty = {"choices": (), "gold": (), "answer": (), "doc": "{}", "finish_reasons": (), "refusals": ()}
    nothing = (
        "truncated",
        "model_response",
        "no_verdict",
        "judgements",
        "error",
        "latency_s",
        "prompt_tokens",
        "completion_tokens",
    )
    given = [(0, "a", {"em": 1, "text": "x"}), (0, "b", None), (1, "a", {"em": True}), (1, "b", {"em": None})]
    rows = [
        DetailRow.model_validate(
            {**said, **empty, **dict.fromkeys(nothing), "seed": seed, "doc_id": doc, "metric": m and json.dumps(m)}
        )
        for seed, doc, m in given
    ]
    assert sample_values(rows) == {"em": {(0, "a"): 1.0, (1, "a"): 1.0}}


def test_a_leaderboard_is_best_first_with_shared_ranks_and_the_unscored_last():
    scores = {"d": None, "a": 0.5, "c": 0.9, "b": 0.5, "e": 0.1}
    found = leaderboard([contender(name, score, sums=measured()) for name, score in scores.items()])
    assert [(place.rank, place.name) for place in found.places] == [
        (1, "c"),
        (2, "a"),
        (2, "b"),
        (4, "e"),
        (None, "d"),
    ]


def test_a_leaderboard_of_what_should_be_low_begins_with_the_lowest():
    ends = [contender(name, score, text=measured("text", LOWER, ppl=score)) for name, score in (("a", 3.0), ("b", 2.0))]
    found = leaderboard(ends)
    assert [place.name for place in found.places] == ["b", "a"]
    assert not found.higher_is_better


def test_a_leaderboard_of_nothing_is_refused():
    refused(leaderboard, [])
