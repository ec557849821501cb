"""What `scripts/house.py` measures, each held to a limit: a change that makes a measure worse fails here."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("house", ROOT / "scripts" / "house.py")
assert spec is not None
assert spec.loader is not None
house = importlib.util.module_from_spec(spec)
spec.loader.exec_module(house)


def test_a_type_is_defined_in_one_module_only():
    assert house.doubled_names() == {}


def test_names_are_no_metaphors():
    assert house.metaphors() == []


def test_nobody_but_a_topologys_own_module_compares_its_name():
    assert house.compared_topologies() == []


def test_no_measure_gets_worse():
    assert house.import_ranks() <= 33
    assert house.largest_folder()[1] <= 37
    assert house.median_lines() <= 120
    assert len(house.request_places()) <= 8


@pytest.mark.parametrize(
    ("name", "words"),
    [("ActiveAttempts", {"active", "attempt"}), ("run_books", {"run", "book"}), ("BenchmarkRow", {"benchmark", "row"})],
)
def test_a_name_is_taken_apart_into_words(name, words):
    assert house.words_of(name) == words


@pytest.mark.parametrize("text", ["class A: ...", "A = Literal['x']", "A = B | C", "A: TypeAlias = Any"])
def test_classes_and_aliases_are_types(text):
    assert list(house._types(ast.parse(text))) == ["A"]


@pytest.mark.parametrize("text", ["A = 1", "A = B[0]", "a.b = 1", "A = frozenset({1})", "A: int = 1"])
def test_values_are_no_types(text):
    assert list(house._types(ast.parse(text))) == []


@pytest.mark.parametrize("text", ["a.topology == 'piped_stdio'", "'piped_stdio' != a", "a in ('model_worker', 'b')"])
def test_comparisons_with_a_topology_are_found(text):
    assert house._compares_a_topology(ast.parse(text).body[0].value)
