"""`result.json`: closed at the top, open below, and bound to the metrics the challenge declares."""

# ruff: noqa: PLR0917  a table's columns and pytest's fixtures are parameters

import pytest

from agentics.errors import InvalidDocument
from agentics.model.bundle.challenge import MetricSchema
from agentics.model.bundle.evaluator_result import MAX_LOG_BYTES, Result, check_result, read_result

METRIC = "/aggregate_metrics/0"
SUMMARY = "/official_summary"


@pytest.fixture
def check(spec, encoded):
    """Codes and pointers of what is wrong with a result."""
    schema = MetricSchema.model_validate(spec["metric_schema"])

    def check(result, mode="official"):
        found = check_result(encoded(result), schema, mode)
        return {(f.code, f.pointer) for f in found} if isinstance(found, tuple) else set()

    return check


@pytest.fixture
def schema(spec):
    return MetricSchema.model_validate(spec["metric_schema"])


def test_a_result_in_order_is_read_and_extra_keys_below_the_top_are_dropped(result, schema, encoded):
    read = read_result(encoded(result), schema, "official")
    assert read.mode == "official"
    assert read.aggregate_metrics[0].value == 1.0
    assert read.official_summary.passed == 1
    dumped = read.model_dump(mode="json")
    assert "unit" not in dumped["aggregate_metrics"][0]
    assert "wall_time_ms" not in dumped["public_results"][0]
    assert type(read).model_validate_json(read.model_dump_json()) == read
    assert Result.cap.bytes == 4 * 1024 * 1024


def test_the_smallest_results(schema, encoded):
    summary = {"score": 0, "passed": 0, "total": 0}
    read = read_result(encoded({"status": "failed", "validation_summary": summary}), schema, "validation")
    assert read.mode == "validation"
    assert read.logs == read.public_results == read.run_metrics == read.aggregate_metrics == ()


def test_a_broken_result_is_raised_with_all_findings(schema):
    with pytest.raises(InvalidDocument) as caught:
        read_result(b'{"status":"ok","rank_score":1,"logs":null}', schema, "official")
    assert {f.code for f in caught.value.findings} >= {"unknown_value", "unknown_key", "wrong_type"}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/mode", None),
        ("/status", "error"),
        ("/validation_summary", {"score": 1e9, "passed": 0, "total": 5}),
        ("/public_results/0/message", None),
        ("/public_results/0/message", "why"),
        ("/public_results/0/score", -3),
        ("/run_metrics/0/run_name", "not-in-the-manifest"),
        ("/run_metrics/0/metrics", []),
        (f"{METRIC}/value", -1e308),
        (f"{METRIC}/metric_name", " score "),
        (f"{METRIC}/more", {"nested": [1]}),
        ("/logs", []),
        ("/logs", ["x" * MAX_LOG_BYTES]),
        ("/run_metrics", [{"run_name": "one", "other": 1}]),
    ],
)
def test_what_a_result_may_say_is_accepted(pointer, value, result, changed, check):
    assert check(changed(result, pointer, value)) == set()


@pytest.mark.parametrize(
    ("pointer", "value", "code", "where"),
    [
        ("/status", "ok", "unknown_value", ""),
        ("/status", None, "unknown_value", ""),
        ("/mode", "validation", "mode_mismatch", ""),
        ("/mode", "test", "unknown_value", ""),
        ("/rank_score", 1, "unknown_key", ""),
        ("/aggregate_metrics", None, "wrong_type", ""),
        ("/run_metrics", None, "wrong_type", ""),
        ("/public_results", None, "wrong_type", ""),
        ("/logs", None, "wrong_type", ""),
        ("/logs", [1], "wrong_type", "/0"),
        ("/logs", ["é" * (MAX_LOG_BYTES // 2), "x"], "logs_too_long", ""),
        ("/aggregate_metrics", [], "primary_metric_missing", ""),
        ("/run_metrics/0/metrics", None, "wrong_type", ""),
        (f"{METRIC}/metric_name", "speed", "undeclared_metric", ""),
        (f"{METRIC}/metric_name", "a b", "bad_name", ""),
        (f"{METRIC}/value", "1", "wrong_type", ""),
        (f"{METRIC}/value", True, "wrong_type", ""),
        (f"{METRIC}/value", None, "wrong_type", ""),
        ("/run_metrics/0/run_name", "..", "bad_name", ""),
        ("/run_metrics/0/metrics/0/metric_name", "speed", "undeclared_metric", ""),
        ("/public_results/0/case_name", " ", "blank", ""),
        ("/public_results/0/status", "skipped", "unknown_value", ""),
        ("/public_results/0/score", None, "wrong_type", ""),
        ("/public_results/0/message", 1, "wrong_type", ""),
        (f"{SUMMARY}/passed", 1.0, "wrong_type", ""),
        (f"{SUMMARY}/passed", -1, "out_of_range", ""),
        (f"{SUMMARY}/passed", -0.0, "wrong_type", ""),
        (f"{SUMMARY}/total", 2**63, "out_of_range", ""),
        (f"{SUMMARY}/total", 2**64, "out_of_range", ""),
        (f"{SUMMARY}/passed", 2, "passed_above_total", ""),
        (f"{SUMMARY}/total", 1.0, "wrong_type", ""),
        (f"{SUMMARY}/total", "1", "wrong_type", ""),
        (f"{SUMMARY}/score", "1", "wrong_type", ""),
        (SUMMARY, None, "summary_missing", ""),
        ("/validation_summary", {"score": 1, "passed": 2, "total": 1}, "passed_above_total", "/passed"),
        ("/validation_summary", {"score": 1, "passed": 0}, "missing_key", "/total"),
    ],
)
def test_what_a_result_may_not_say_is_refused(pointer, value, code, where, result, changed, check):
    found = check(changed(result, pointer, value))
    assert (code, f"{pointer}{where}") in found
    assert {c for c, _ in found} <= {code, "primary_metric_missing"}


@pytest.mark.parametrize(
    "pointer",
    ["/status", METRIC + "/metric_name", METRIC + "/value", "/run_metrics/0/run_name", "/public_results/0/case_name"],
)
def test_a_result_needs_its_keys(pointer, result, changed, gone, check):
    assert ("missing_key", pointer) in check(changed(result, pointer, gone))


def test_numbers_must_be_finite(schema, result, encoded):
    for literal, code in ((b"NaN", "not_json"), (b"Infinity", "not_json"), (b"1e999", "number_out_of_range")):
        data = encoded(result).replace(b'"value": 1,', b'"value": ' + literal + b",")
        found = check_result(data, schema, "official")
        assert [f.code for f in found] == [code]


def test_names_are_unique(result, check):
    result["aggregate_metrics"] *= 2
    result["run_metrics"] *= 2
    result["run_metrics"][0]["metrics"] *= 2
    assert check(result) == {
        ("duplicate_name", "/aggregate_metrics/1/metric_name"),
        ("duplicate_name", "/run_metrics/1/run_name"),
        ("duplicate_name", "/run_metrics/0/metrics/1/metric_name"),
        ("duplicate_name", "/run_metrics/1/metrics/1/metric_name"),
    }


def test_case_names_need_not_be_unique_and_there_are_at_most_1024(result, changed, check):
    case = result["public_results"][0]
    assert check(changed(result, "/public_results", [case] * 1024)) == set()
    assert check(changed(result, "/public_results", [case] * 1025)) == {("too_many_public_results", "/public_results")}


def test_official_metrics_must_not_appear_in_a_validation_result(result, changed, check):
    result = changed(changed(result, "/mode", None), "/validation_summary", {"score": 1, "passed": 1, "total": 1})
    assert check(result, "validation") == set()
    assert check(changed(result, "/aggregate_metrics", []), "validation") == set()
    for pointer in (f"{METRIC}/metric_name", "/run_metrics/0/metrics/0/metric_name"):
        secret = changed(result, pointer, "secret_share")
        assert check(secret, "validation") == {("official_metric", pointer)}


def test_repeated_keys_count_where_they_are_known(schema, encoded, result):
    text = encoded(result)
    known = text.replace(b'"case_name"', b'"case_name": "x", "case_name"')
    assert [f.code for f in check_result(known, schema, "official")] == ["duplicate_key"]
    unknown = text.replace(b'"wall_time_ms"', b'"wall_time_ms": {"a": 1, "a": 2}, "wall_time_ms"')
    assert not isinstance(check_result(unknown, schema, "official"), tuple)


def test_counts_are_signed_integers_of_64_bits(result, changed, schema, encoded, check):
    assert check(changed(result, SUMMARY, {"score": 1, "passed": 2**63 - 1, "total": 2**63 - 1})) == set()
    minus_zero = encoded(result).replace(b'"passed": 1', b'"passed": -0')
    assert [f.code for f in check_result(minus_zero, schema, "official")] == ["wrong_type"]


IGNORED = [
    b'"\\ud800"',
    b'{"\\udc00": "\\ud800"}',
    b"[1e999, -1e999]",
    b"9" * 400,
    b"[" * 3000 + b'{"a": [1, 1e999]}' + b"]" * 3000,
    b'{"a":' * 3000 + b"null" + b"}" * 3000,
    b'{"a": 1, "a": 2}',
]
UNREAD = {"summary": b'"ratio": 1', "metric": b'"unit": "ignored"', "case": b'"wall_time_ms": 7', "run": b'"extra": {}'}


@pytest.mark.parametrize("ignored", IGNORED)
@pytest.mark.parametrize("place", UNREAD)
def test_the_value_of_a_key_that_is_ignored_is_not_judged(place, ignored, schema, result, encoded):
    text = encoded(result).replace(UNREAD[place], UNREAD[place].partition(b":")[0] + b": " + ignored)
    assert not isinstance(check_result(text, schema, "official"), tuple)


DEEP_NAN = b"[" * 200 + b"NaN" + b"]" * 200


@pytest.mark.parametrize(
    "ignored", [b"NaN", DEEP_NAN, b"[1,]", b'"\n"', b"[" * 3000 + b"]" * 2999, b"01", b"nul", b"'x'", b""]
)
def test_the_value_of_a_key_that_is_ignored_is_json_all_the_same(ignored, schema, result, encoded):
    text = encoded(result).replace(UNREAD["summary"], b'"ratio": ' + ignored)
    assert isinstance(check_result(text, schema, "official"), tuple)


@pytest.mark.parametrize("judged", IGNORED[:6])
def test_values_that_are_read_are_judged(judged, schema, result, encoded):
    text = encoded(result).replace(b'"fine"', judged)
    assert isinstance(check_result(text, schema, "official"), tuple)
    text = encoded(result).replace(b'"logs"', b'"more": ' + judged + b', "logs"')
    assert isinstance(check_result(text, schema, "official"), tuple)


def test_a_key_that_is_ignored_is_a_sound_text(schema, result, encoded):
    text = encoded(result).replace(b'"ratio"', b'"\\ud800"')
    assert [f.code for f in check_result(text, schema, "official")] == ["lone_surrogate"]


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{}x", b"null"])
def test_what_is_no_result_at_all_is_refused(data, schema):
    assert isinstance(check_result(data, schema, "official"), tuple)
