"""What evaluators write that is no result, and the reason that each of it must end with."""

from __future__ import annotations

import json

FINE = 0.5
_METRIC = '{"metric_name": "share", "value": %s}'


def result(value: object = "0.5", **more) -> str:
    """A result as text, so that the value can be what no JSON writer would write."""
    document = {
        "status": "passed",
        "mode": "official",
        "aggregate_metrics": ["METRIC"],
        "official_summary": {"score": 0.5, "passed": 1, "total": 1},
        **more,
    }
    return json.dumps(document).replace('"METRIC"', _METRIC % value)


WRITTEN: dict[str, str | bytes] = {
    "fine": result(),
    "nan": result("NaN"),
    "infinity": result("Infinity"),
    "minus-infinity": result("-Infinity"),
    "beyond-double": result("1e309"),
    "huge-integer": result("1" + "0" * 400),
    "nan-as-text": result('"NaN"'),
    "number-as-text": result('"1.0"'),
    "bool": result("true"),
    "null": result("null"),
    "list": result("[1]"),
    "duplicate-key": result().replace('"status": "passed"', '"status": "failed", "status": "passed"'),
    "duplicate-metric-key": result('0.1, "value": 0.5'),
    "twice-the-metric": result(aggregate_metrics=["METRIC", "METRIC"]),
    "no-primary-metric": result(aggregate_metrics=[]),
    "undeclared-metric": result().replace('"share"', '"cnrymetric"'),
    "unknown-key": result(reward=1),
    "other-mode": result(mode="validation"),
    "no-summary": result(official_summary=None),
    "bool-count": result(official_summary={"score": 0.5, "passed": True, "total": True}),
    "negative-count": result(official_summary={"score": 0.5, "passed": -1, "total": 1}),
    "fraction-of-a-case": result(official_summary={"score": 0.5, "passed": 0.5, "total": 1}),
    "more-than-all": result(official_summary={"score": 0.5, "passed": 2, "total": 1}),
    "nan-in-summary": result(official_summary={"score": 0, "passed": 1, "total": 1}).replace(
        '"score": 0', '"score": NaN'
    ),
    "nan-in-extra": result(official_summary={"score": 0, "passed": 1, "total": 1, "x": 9}).replace(
        '"x": 9', '"x": NaN'
    ),
    "status-word": result(status="accepted"),
    "two-documents": result() + result(),
    "not-json": "passed\n",
    "empty": "",
    "no-utf8": b"\xff\xfe" + result().encode(),
    "nul": result().encode() + b"\0",
    "list-document": "[]",
    "logs-too-long": result(logs=["x" * 300_000]),
}
"""By the name of the file below public/results/; `fine` is the control."""

DONE = {
    "link": "result_not_regular",
    "environ": "result_not_regular",
    "fifo": "result_not_regular",
    "directory": "result_not_regular",
    "sparse": "result_too_large",
    "deep": "result_invalid",
    "digits": "result_invalid",
    "exit": "evaluator_crashed",
    "nothing": "result_missing",
}
ENDS = {**{word: None if word == "fine" else "result_invalid" for word in WRITTEN}, **DONE}
