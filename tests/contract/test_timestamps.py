"""Timestamps: what chrono reads as RFC 3339 is one, and they are compared as moments, to the nanosecond."""

import pytest

from agentics.policy.bundle.checks import read_challenge

START = "2026-01-01T00:00:00Z"


@pytest.fixture
def found(spec, changed, encoded):
    """Codes of what is wrong with a challenge that has these times."""

    def find(starts, closes=None):
        document = changed(changed(spec, "/starts_at", starts), "/closes_at", closes)
        return {(f.code, f.pointer) for f in read_challenge(encoded(document)).findings}

    return find


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00.123456789+05:30",
        "2026-01-01t00:00:00z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00\u221205:30",
        "2026-01-01T00:00:00+23:59",
        "2024-02-29T23:59:60-00:00",
        "2000-02-29T00:00:00Z",
        "0000-02-29T00:00:00Z",
        "9999-12-31T23:59:59.99999999999999999999Z",
    ],
)
def test_what_chrono_reads_is_a_timestamp(text, found):
    assert found(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00+0530",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00 Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01  00:00:00Z",
        "2026-01-01_00:00:00Z",
        "\uff12026-01-01T00:00:00Z",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        "+2026-01-01T00:00:00Z",
        "soon",
        "",
    ],
)
def test_anything_else_is_none(text, found):
    assert found(text) == {("bad_timestamp", "/starts_at")}
    assert found(START, text) == {("bad_timestamp", "/closes_at")}


@pytest.mark.parametrize(
    ("starts", "closes"),
    [
        (START, "2026-01-01T00:00:00.000000001Z"),
        (START, "2026-01-01T00:00:01+00:00"),
        (START, "2026-01-01T00:00:00-00:01"),
        (START, "2026-01-01 00:00:00\u221200:01"),
        ("2025-12-31T23:59:60Z", START),
        ("2025-12-31T23:59:59.999999999Z", "2025-12-31T23:59:60Z"),
        ("0000-02-28T23:59:59Z", "0000-02-29T00:00:00Z"),
        ("1999-12-31T23:59:59+00:01", "2000-01-01T00:00:00Z"),
    ],
)
def test_a_challenge_may_close_any_nanosecond_after_its_start(starts, closes, found):
    assert found(starts, closes) == set()
    assert found(closes, starts) == {("closes_before_start", "/closes_at")}


@pytest.mark.parametrize(
    ("starts", "closes"),
    [
        (START, START),
        (START, "2026-01-01T01:00:00+01:00"),
        (START, "2026-01-01T00:00:00.0000000009Z"),
        (START, "2025-12-31T23:59:60Z"),
        ("2026-01-01T00:00:00.1234567891Z", "2026-01-01T00:00:00.1234567899Z"),
    ],
)
def test_a_challenge_does_not_close_when_it_starts(starts, closes, found):
    assert found(starts, closes) == {("closes_before_start", "/closes_at")}
