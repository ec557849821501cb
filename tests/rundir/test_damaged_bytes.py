"""Run directories of strangers, made by hypothesis: every reader answers or ends in a typed error."""

from __future__ import annotations

import shutil
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.mutations import mutated
from tests.fuzz.test_hostile_bytes import budget
from tests.runner.lab import evaluator

pytestmark = pytest.mark.slow

READERS = (
    ("run", "show", "{run}", "--json"),
    ("run", "show", "{run}"),
    ("run", "verify", "{run}", "--json"),
    ("run", "rebuild", "{run}", "--check", "--json"),
    ("run", "case", "{run}", "case-1", "--json"),
    ("run", "compare", "{run}", "--json"),
    ("run", "continue", "{run}", "--json"),
)
ANSWERS = {0, 1, 2, 3, 4, 5, 6, 7}


def test_every_reader_of_a_run_with_damaged_files_answers_or_refuses(lab):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = evaluator(1)
    assert lab.eval("one").status == 1
    honest = lab.home / "outputs" / "r"
    texts = [path.relative_to(honest) for path in sorted(honest.rglob("*.json*"))]

    @budget(60)
    @given(st.lists(st.tuples(st.sampled_from(texts), st.integers(0, 2**32)), min_size=1, max_size=3))
    def check(damages):
        run = lab.home / "damaged"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(honest, run)
        for name, seed in damages:
            (run / name).write_bytes(mutated((run / name).read_bytes(), Random(seed)))
        for words in READERS:
            said = lab(*(word.replace("{run}", str(run)) for word in words))
            assert said.status in ANSWERS, (words, said.status)
            assert "Traceback" not in said.err, (words, said.err)
            assert "internal_error" not in said.out, (words, said.out)

    check()
