"""How large the text of a document may be, for each kind of document: the one place that says so.

Reading costs time and memory for each value, and a value takes two bytes: a cap on bytes alone bounds neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cap:
    """At most `bytes` of text, looked at before any of it is read; and at most `values` in it. Each object, list,
    string, number, true, false and null is a value; keys are none."""

    bytes: int
    values: int


SMALL = Cap(bytes=1 << 20, values=100_000)
SOLUTION = Cap(bytes=128 << 10, values=10_000)
EXPERIMENT = Cap(bytes=16 << 20, values=500_000)
MANIFEST = Cap(bytes=32 << 20, values=1_000_000)
RESULT = Cap(bytes=4 << 20, values=500_000)
OTHER = Cap(bytes=1 << 20, values=50_000)
ADAPTER = Cap(bytes=16 << 20, values=500_000)
RECORD = Cap(bytes=256 << 20, values=20_000_000)
"""The documents of a run directory, which this program writes. Their readers have narrower caps."""

KINDS: Mapping[str, Cap] = {
    "`spec.json`, `agentics.challenge.json`": SMALL,
    "`agentics.solution.json`": SOLUTION,
    "run and session manifests, which may hold the input of every case": MANIFEST,
    "`result.json`": RESULT,
    "JobSpecs, suites, manifests of plugins, judge templates": SMALL,
    "experiments; a resolved one, which a run writes, has an entry for each task": EXPERIMENT,
    "suites and experiments in YAML or TOML, whose readers take ten times as long": OTHER,
    "a document of a benchmark adapter, or one line of its predictions and scores": ADAPTER,
}
"""The kinds of documents that strangers write, as the docs list them."""
