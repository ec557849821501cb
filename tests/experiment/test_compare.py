"""Variants side by side: pairs, exact figures held against hand-made ones, and null where nothing is defined."""

from __future__ import annotations

import math

import pytest

from agentics.model.run.outcome import PrimaryMetric
from agentics.policy.compare import statistics
from agentics.policy.compare.variants import Observation, compare, pairs, summarise


def seen(verdicts: str, values=None) -> list[Observation]:
    """`+` success, `-` failure, `e` an error, `.` pending; one task each."""
    why = {"e": "evaluator_crashed", ".": "pending"}
    return [
        Observation(
            task=f"t{index}",
            repl=0,
            verdict={"+": "success", "-": "failure"}.get(sign),
            why=why.get(sign, ""),
            metric=PrimaryMetric(metric_name="score", value=values[index], direction="maximize") if values else None,
        )
        for index, sign in enumerate(verdicts)
    ]


def paired(baseline: str, variant: str, values=(None, None)):
    (found,) = compare({"b": seen(baseline, values[0]), "v": seen(variant, values[1])}, "b", "paired")
    return found


def test_c27_a_table_of_two_by_two_by_hand():
    # 4 both, 5 wins, 1 loss, 2 neither; and three pairs that count for nobody.
    found = paired("++++" + "-----" + "+" + "--" + "e+.", "++++" + "+++++" + "-" + "--" + "+e.")
    figures = found.paired
    assert (figures.pairs, figures.wins, figures.losses, figures.ties) == (12, 5, 1, 6)
    assert (figures.both_succeed, figures.both_fail) == (4, 2)
    # Six decided: P(at most 1 of 6) twice = 2 * (1 + 6) / 64.
    assert figures.p_value == 2 * 7 / 64
    assert figures.baseline_rate == 5 / 12
    assert figures.variant_rate == 9 / 12
    assert figures.rate_difference.value == pytest.approx(4 / 12)
    assert figures.cohens_h == pytest.approx(2 * math.asin(math.sqrt(0.75)) - 2 * math.asin(math.sqrt(5 / 12)))
    assert figures.excluded_pairs == 3
    assert figures.excluded == {"baseline:evaluator_crashed": 1, "both:pending": 1, "variant:evaluator_crashed": 1}
    # Each side's own rate is over all that it has: the pairs' is another.
    assert found.baseline_success_rate == 6 / 13
    assert found.variant_success_rate == 10 / 13


def test_c27_an_error_is_no_loss():
    with_errors, without = paired("+++++-eee", "+++++-+++"), paired("+++++-", "+++++-")
    assert with_errors.paired.p_value == without.paired.p_value == 1.0
    assert with_errors.paired.losses == 0
    assert with_errors.paired.excluded_pairs == 3


def test_c27_what_is_not_defined_is_null_and_never_zero():
    figures = paired("ee", "+-").paired
    assert figures.pairs == 0
    assert figures.baseline_rate is figures.variant_rate is figures.p_value is None
    assert figures.rate_difference is figures.cohens_h is figures.p_value_holm is None
    assert figures.mean_differences == ()
    one = summarise(seen("ee"), {})
    assert (one.success_rate, one.success_interval, one.primary_metric_mean, one.valid) == (None, None, None, 0)
    assert one.excluded == {"evaluator_crashed": 2}


def test_pairs_are_made_by_task_and_replication_whatever_the_order():
    left = [Observation(task="t", repl=r, verdict=v) for r, v in ((0, "success"), (1, "failure"))]
    right = [Observation(task="t", repl=r, verdict=v) for r, v in ((1, "failure"), (0, "failure"), (2, "success"))]
    found = pairs(left, right)
    assert [pair.result for pair in found] == ["loss", "tie", "excluded"]
    assert found[2].why == "baseline:not_in_schedule"


def test_a_mean_difference_is_over_the_pairs_that_have_the_metric():
    figures = paired("+++e", "++++", ([1.0, 2.0, 3.0, 9.0], [2.0, 4.0, 6.0, 0.0])).paired
    (one,) = figures.mean_differences
    assert (one.metric_name, one.pairs, one.baseline_mean, one.variant_mean) == ("score", 3, 2.0, 4.0)
    assert one.difference.value == 2.0
    # Differences 1, 2, 3: deviation 1, t(2) = 4.30265.
    assert one.difference.interval.high - 2.0 == pytest.approx(4.30265 / math.sqrt(3), rel=1e-5)


def test_one_pair_tells_nothing_of_the_spread():
    (one,) = paired("+", "+", ([1.0], [2.0])).paired.mean_differences
    assert (one.difference.value, one.difference.interval) == (1.0, None)


def test_metrics_of_different_names_are_not_mixed():
    metrics = [PrimaryMetric(metric_name=name, value=1.0) for name in ("a", "b")]
    sides = [Observation(task=f"t{n}", repl=0, verdict="success", metric=m) for n, m in enumerate(metrics)]
    assert summarise(sides, {}).primary_metric_name is None
    assert summarise(sides, {}).primary_metric_mean is None
    (found,) = compare({"b": sides, "v": sides}, "b", "paired")
    assert [m.metric_name for m in found.paired.mean_differences] == ["a", "b"]


def test_none_gives_rates_and_unpaired_gives_a_difference_without_pairs():
    sides = {"b": seen("+-+-"), "v": seen("+++e")}
    (rates,) = compare(sides, "b", "none")
    assert (rates.baseline_success_rate, rates.variant_success_rate) == (0.5, 1.0)
    assert rates.paired is rates.unpaired is None
    (unpaired,) = compare(sides, "b", "unpaired")
    assert unpaired.paired is None
    assert (unpaired.unpaired.baseline_valid, unpaired.unpaired.variant_valid) == (4, 3)
    assert unpaired.unpaired.rate_difference.value == 0.5


def test_several_variants_pay_for_their_number():
    sides = {"b": seen("------"), "x": seen("++++++"), "y": seen("+++++-"), "z": seen("eeeeee")}
    found = {one.variant: one.paired for one in compare(sides, "b", "paired")}
    assert found["x"].p_value == 2 / 64
    assert found["x"].p_value_holm == 4 / 64
    assert found["y"].p_value_holm == 2 / 32
    assert found["z"].p_value_holm is None


@pytest.mark.parametrize(
    ("wins", "losses", "p"), [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 2 / 32), (0, 5, 2 / 32), (3, 3, 1.0), (1, 7, 18 / 256)]
)
def test_the_exact_binomial_test(wins, losses, p):
    assert statistics.exact_binomial(wins, losses) == p


@pytest.mark.slow
def test_the_exact_test_bears_many_pairs():
    assert 0 < statistics.exact_binomial(4000, 6000) < 1e-80
    assert statistics.exact_binomial(5000, 5000) == 1.0


def test_wilson_as_published():
    found = statistics.wilson(8, 10)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert statistics.wilson(0, 10).low == 0.0
    assert statistics.wilson(10, 10).high == pytest.approx(1.0)


def test_newcombe_as_published():
    # Newcombe 1998, 36 / 12 / 2 / 0: method 10 gives 0.0569 to 0.3404.
    found = statistics.paired_rates(36, 12, 2, 0)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.0569, 0.3404), abs=1e-4)
    mirrored = statistics.paired_rates(36, 2, 12, 0)
    assert mirrored.interval.low == pytest.approx(-found.interval.high)
    # The same, 20 / 12 / 2 / 16: the sides agree more often than by chance, so phi is drawn towards 0.
    found = statistics.paired_rates(20, 12, 2, 16)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.0562, 0.3292), abs=1e-4)


def test_a_correlation_that_is_drawn_towards_0_does_not_change_its_sign():
    # Phi of 1 / 1 / 1 / 2 is 1 / 6 before, and would be -1.5 / 6 after.
    alone = statistics.unpaired_rates((2, 5), (2, 5))
    assert statistics.paired_rates(1, 1, 1, 2).interval == alone.interval


def test_a_side_that_always_succeeds_is_not_correlated():
    assert statistics.paired_rates(3, 0, 2, 0).interval == statistics.unpaired_rates((5, 5), (3, 5)).interval


def test_no_interval_of_rates_leaves_what_rates_can_be():
    for high in (statistics.wilson(3, 3).high, statistics.paired_rates(0, 3, 0, 0).interval.high):
        assert high == 1.0
    assert statistics.paired_rates(0, 0, 3, 0).interval.low == -1.0


@pytest.mark.parametrize(("baseline", "variant"), [((0, 0), (1, 2)), ((1, 2), (0, 0)), ((0, 0), (0, 0))])
def test_a_side_without_samples_has_no_difference(baseline, variant):
    assert statistics.unpaired_rates(baseline, variant) is None


@pytest.mark.parametrize(("baseline", "variant"), [(None, 0.5), (0.5, None), (None, None)])
def test_a_side_without_a_rate_has_no_effect_size(baseline, variant):
    assert statistics.cohens_h(baseline, variant) is None


def test_an_adjusted_probability_is_at_most_1():
    assert statistics.holm({"a": 0.6, "b": 0.7, "c": None}) == {"a": 1.0, "b": 1.0, "c": None}


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (30, 2.0423), (999, 1.9623)]
)
def test_students_quantile_is_that_of_the_tables(freedom, t):
    assert statistics.student_quantile(freedom) == pytest.approx(t, abs=1e-4)


def covered(*parts: tuple[int, int]) -> list[Observation]:
    """A model's tasks, each with the samples that are in its metric, and those that were asked for."""
    return [
        Observation(
            task=f"t{index}",
            repl=0,
            verdict="success",
            metric=PrimaryMetric(metric_name="em", value=0.5, n=n, of=of),
        )
        for index, (n, of) in enumerate(parts)
    ]


def test_a_mean_of_models_metrics_stands_beside_what_it_rests_on():
    whole, part = covered((4, 4), (8, 8)), covered((4, 4), (5, 8))
    assert summarise(part, {}).coverage.model_dump() == {"n": 9, "of": 12, "lacking": {"t1": 3}}
    assert summarise(whole, {}).coverage.lacking == {}
    assert summarise(seen("++", [1.0, 2.0]), {}).coverage is None
    (found,) = compare({"b": whole, "v": part}, "b", "paired")
    (one,) = found.paired.mean_differences
    assert (one.baseline_coverage.n, one.baseline_coverage.of, one.baseline_coverage.lacking) == (12, 12, {})
    assert (one.variant_coverage.n, one.variant_coverage.lacking) == (9, {"t1": 3})


def test_the_coverage_of_a_difference_is_over_its_pairs_only():
    (found,) = compare({"b": covered((4, 4), (2, 8)), "v": covered((3, 4))}, "b", "paired")
    (one,) = found.paired.mean_differences
    assert (one.baseline_coverage.of, one.variant_coverage.of) == (4, 4)
    assert one.baseline_coverage.lacking == {}
