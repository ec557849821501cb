"""Whatever a JobSpec holds, a check ends with findings or a job, and never with an exception."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lighteval.conftest import CAPITALS, CUSTOM, ECHO, LOCAL, spec
from tests.lighteval.test_jobspec import FULL

BASES = [
    FULL,
    spec(backend=LOCAL, benchmark_pack_id="short-answers"),
    spec(backend=CUSTOM, custom_plugins=[CAPITALS, ECHO], tasks=[{"id": "capitals"}]),
]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        ["gsm8k", "capitals", "../x", "/", "\u0000", "x" * 5000, "a|b", "mmlu@1", "accelerate", "dummy", "jury"]
    ),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def put(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_value_at_any_place_is_a_finding_or_a_job(world, data):
    base = data.draw(st.sampled_from(BASES))
    path = data.draw(st.sampled_from(list(places(base))))
    found = world.check(json.dumps(put(base, path, data.draw(JSON))))
    assert (found.job is None) == bool(found.errors)
    assert all(finding.code and finding.message and finding.line > 0 for finding in found.findings)


@pytest.mark.parametrize("base", BASES)
def test_a_text_that_ends_early_is_a_finding(world, base):
    text = json.dumps(base)
    for end in range(0, len(text), 37):
        assert world.check(text[:end]).job is None


def test_thousands_of_mistakes_are_found_without_searching_for_each(world):
    found = world.check(spec(tasks=[{"id": f"none{index}"} for index in range(3000)]))
    assert [code for code, _ in found.errors].count("unknown_task") == 200
    assert {code for code, _ in found.errors} == {"unknown_task", "too_many_findings"}
