"""Beside an evaluator that lies: what a result is, so that each lie is one change of it."""

import json
import sys
from pathlib import Path

OUTPUT = Path(sys.argv[sys.argv.index("--output-path") + 1])


def result(value="0.5", **more):
    """A result as text, so that the value can be what no JSON writer would write."""
    document = {
        "status": "passed",
        "mode": "official",
        "aggregate_metrics": ["METRIC"],
        "official_summary": {"score": 0.5, "passed": 1, "total": 1},
        **more,
    }
    return json.dumps(document).replace('"METRIC"', '{"metric_name": "share", "value": %s}' % value)


def write(data):
    OUTPUT.write_bytes(data if isinstance(data, bytes) else data.encode())
