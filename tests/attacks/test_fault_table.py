"""Every way of ending, in every topology: the participant's own is never the challenge's or the infrastructure's."""

from __future__ import annotations

import pytest

from agentics.attacks.evaluating import Evaluated, evaluate_solutions
from agentics.attacks.groups import INSIDE, lay_bundle
from agentics.attacks.material import solution
from tests.attacks.faults import TOPOLOGIES, WAYS

pytestmark = [pytest.mark.docker, pytest.mark.slow]

HONEST = {"honest.py": (INSIDE / "honest.py").read_text()}
ANSWERS = "PYTHONPATH=/workspace exec python3 -B -c 'import honest; honest.go_on()'\n"


def lay(root, topology, script):
    if topology in ("build", "setup"):
        return solution(root, {**HONEST, "run.sh": ANSWERS}, **{topology: script})
    return solution(root, {**HONEST, "run.sh": script})


@pytest.fixture(scope="module")
def ended(own_config, tmp_path_factory):
    """All ways of one topology, evaluated in one run."""
    known: dict[str, Evaluated] = {}

    def of(topology: str) -> Evaluated:
        if topology not in known:
            root = tmp_path_factory.mktemp(topology)
            group = topology if topology in ("piped", "coexecuted") else "separated"
            made, private = lay_bundle(group, root, patience_s=3)
            solutions = {name: lay(root / "ways" / name, topology, way.script) for name, way in WAYS.items()}
            solutions["honest"] = lay(root / "ways" / "honest", topology, ANSWERS)
            sandbox = own_config.sandbox.model_copy(update={"scratch": root / "scratch"})
            config = own_config.model_copy(update={"sandbox": sandbox})
            known[topology] = evaluate_solutions(config, root, made, private, solutions, lambda name: None)
        return known[topology]

    return of


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_way_of_ending_is_blamed_on_the_participant_or_on_nobody(topology, way, ended):
    ran = ended(topology)
    task = ran.task(way)
    said = ran.participant_bytes(way)[-2000:].decode(errors="replace")
    assert (task.status, task.reason, task.fault) in WAYS[way].ends(topology), said
    assert ran.left.get(way, []) == []


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_after_all_of_them_an_honest_solution_passes(topology, ended):
    ran = ended(topology)
    task = ran.task("honest")
    assert (task.status, task.primary_metric.value) == ("passed", 1)
    assert ran.leftovers == []


def test_the_table_never_blames_anybody_else():
    blamed = {ends[2] for way in WAYS.values() for topology in TOPOLOGIES for ends in way.ends(topology)}
    assert blamed == {None, "participant"}
