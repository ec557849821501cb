"""Several judges' verdicts as one: aggregation by weight, ties, who failed, and how far they agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentics.policy.jobs.jury import agreement, alpha, verdict

EQUAL = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}

TABLE = [
    # values, weights, aggregation, value, tie, disagreement
    ({}, EQUAL, "mean", None, False, None),
    ({}, EQUAL, "majority", None, False, None),
    ({"a": 0.4}, EQUAL, "mean", 0.4, False, None),
    ({"a": 0.4}, EQUAL, "majority", 0.4, False, None),
    ({"a": 0.0, "b": 1.0, "c": 1.0}, EQUAL, "mean", 2 / 3, False, 1.0),
    ({"a": 0.0, "b": 0.5}, {"a": 1.0, "b": 3.0}, "mean", 0.375, False, 0.5),
    ({"a": 0.0, "b": 1.0, "c": 1.0}, EQUAL, "majority", 1.0, False, 1 / 3),
    ({"a": 0.0, "b": 1.0}, EQUAL, "majority", None, True, 0.5),
    ({"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.5}, "majority", 1.0, False, 0.5),
    ({"a": 0.0, "b": 1.0, "c": 1.0}, {"a": 2.0, "b": 1.0, "c": 1.0}, "majority", None, True, 1 / 3),
    ({"a": 0.0, "b": 1.0, "c": 1.0}, {"a": 3.0, "b": 1.0, "c": 1.0}, "majority", 0.0, False, 2 / 3),
    ({"a": 0.0, "b": 0.5, "c": 0.5, "d": 1.0}, EQUAL, "majority", 0.5, False, 0.5),
    ({"a": 0.1, "b": 0.9, "c": 0.3}, EQUAL, "median", 0.3, False, 0.8),
    ({"a": 0.1, "b": 0.3}, EQUAL, "median", 0.2, False, 0.2),
    ({"a": 0.1, "b": 0.9, "c": 0.3}, {"a": 1.0, "b": 5.0, "c": 1.0}, "median", 0.9, False, 0.8),
    ({"a": 0.1, "b": 0.9}, {"a": 1.0, "b": 5.0}, "median", 0.9, False, 0.8),
]


@pytest.mark.parametrize(("values", "weights", "aggregation", "value", "tie", "apart"), TABLE)
def test_the_judges_of_an_answer_become_one(values, weights, aggregation, value, tie, apart):
    found = verdict(values, weights, aggregation)
    assert found.value == (None if value is None else pytest.approx(value))
    assert found.missing == ("tie" if tie else None if values else "too_few_judges")
    assert found.disagreement == (None if apart is None else pytest.approx(apart))


@pytest.mark.parametrize(("least", "value"), [(1, 1.0), (2, 1.0), (3, None)])
def test_too_few_judges_give_no_verdict(least, value):
    found = verdict({"a": 1.0, "b": 1.0}, EQUAL, "majority", least)
    assert (found.value, found.missing) == (value, None if value is not None else "too_few_judges")


shares = st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1), min_size=1)


@given(shares, st.sampled_from(["mean", "median", "majority"]))
def test_a_jury_never_goes_beyond_its_judges(values, aggregation):
    found = verdict(values, EQUAL, aggregation)
    if found.value is not None:
        assert min(values.values()) - 1e-9 <= found.value <= max(values.values()) + 1e-9
    assert (found.missing == "tie") == (found.value is None)


@given(shares, st.sampled_from(["mean", "median", "majority"]), st.floats(0.01, 100))
def test_only_the_proportions_of_weights_count(values, aggregation, factor):
    weights = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 5.0}
    one, other = (verdict(values, {n: w * by for n, w in weights.items()}, aggregation) for by in (1.0, factor))
    assert one.value == (None if other.value is None else pytest.approx(other.value))


# K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example C: four observers, twelve units.
_ = None
RELIABILITY = {
    "a": (1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _),
    "b": (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3),
    "c": (_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _),
    "d": (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _),
}
UNITS = [
    {judge: float(given[unit]) for judge, given in RELIABILITY.items() if given[unit] is not None} for unit in range(12)
]


def test_alpha_is_the_published_one():
    assert alpha(UNITS) == pytest.approx(0.849, abs=5e-4)


def test_alpha_of_shares_is_that_of_the_scale():
    shares = [{judge: (value - 1) / 4 for judge, value in unit.items()} for unit in UNITS]
    assert alpha(shares) == pytest.approx(alpha(UNITS))


def test_alpha_of_full_agreement_is_one_and_of_opposites_below_zero():
    assert alpha([{"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 1.0}]) == pytest.approx(1.0)
    # By hand: observed 1, expected 2 * 4 * 0.25 / 3.
    assert alpha([{"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 0.0}]) == pytest.approx(-0.5)


@pytest.mark.parametrize("items", [[], [{}], [{"a": 1.0}, {"b": 0.0}], [{"a": 1.0, "b": 1.0}]])
def test_alpha_is_not_defined_without_pairs_or_variation(items):
    assert alpha(items) is None


def test_agreement_is_the_share_of_pairs_that_gave_the_same():
    # Three pairs on the first answer, of which one agrees; one on the second, which does; none on the third.
    assert agreement([{"a": 1.0, "b": 1.0, "c": 0.0}, {"a": 0.5, "b": 0.5}, {"c": 1.0}]) == pytest.approx(0.5)
    assert agreement([{"a": 1.0}]) is None
