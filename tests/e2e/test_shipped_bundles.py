"""Every shipped solution ends as its bundle says it must: the bundles are the authors' examples, and our proof."""

from __future__ import annotations

import json

import pytest

from tests.conftest import BUNDLES

NAMES = sorted(path.parent.name for path in BUNDLES.glob("*/expected.json"))


def expected(name, mode):
    table = json.loads((BUNDLES / name / "expected.json").read_text())
    return {solution: row for solution, row in table.items() if row["mode"] == mode}


def overlays(name, mode):
    folder = BUNDLES / "overlays" / name
    if mode == "validation" or not folder.is_dir():
        return ()
    return tuple((None, path) for path in sorted(folder.iterdir()))


@pytest.mark.docker
@pytest.mark.parametrize("mode", ["validation", "official"])
@pytest.mark.parametrize("name", NAMES)
def test_every_solution_ends_as_its_bundle_says(name, mode, evaluation):
    rows = expected(name, mode)
    solutions = {solution: BUNDLES / name / "solutions" / solution for solution in rows}
    ended = evaluation(BUNDLES / name, solutions, mode=mode, overlays=overlays(name, mode))
    seen = {outcome.model: next(iter(outcome.tasks.values())) for outcome in ended.outcomes}
    assert {s: (t.status, t.reason) for s, t in seen.items()} == {
        s: (row["status"], row["reason"]) for s, row in rows.items()
    }
    for solution, row in rows.items():
        metric = seen[solution].primary_metric
        if row["primary_metric"] is not None:
            assert metric is not None, solution
            assert metric.value == pytest.approx(row["primary_metric"], abs=1e-6), solution


def test_every_topology_and_every_bad_end_is_among_the_shipped_solutions():
    solutions = {path.name.split("-")[0] for path in BUNDLES.glob("*/solutions/*")}
    assert {"accepted", "wrong", "crash", "time", "memory", "flood", "cheat"} <= solutions
    modes = {json.loads(path.read_text())["execution"]["mode"] for path in BUNDLES.glob("*/v1/spec.json")}
    assert modes == {"separated_evaluator", "piped_stdio", "coexecuted_benchmark"}
