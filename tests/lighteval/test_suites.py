"""Suites as files: those that ship, the operator's, each name and version once; and what a check says of one."""

from __future__ import annotations

import json
from importlib import resources

import pytest
import yaml

from agentics.errors import ConfigError, InvalidDocument, UsageError
from agentics.lighteval.suitecheck import rules
from agentics.lighteval.suites import parse_suite, read_suites
from tests.lighteval.conftest import CATALOGUE, task, write_plugin

SUITE = {
    "schema_version": 1,
    "name": "mine",
    "version": "1",
    "tasks": [{"id": "gsm8k", "weight": 2}, {"id": "mgsm:en", "primary_metric": "em"}],
    "primary_metric": "extractive_match",
    "aggregation": "weighted_mean",
}


def text(**changes):
    return json.dumps({**SUITE, **changes}).encode()


def found(data, plugins=(), name="mine.json"):
    try:
        parse_suite(data, name, name, rules(CATALOGUE, plugins))
    except InvalidDocument as error:
        return [(finding.code, finding.pointer) for finding in error.findings]
    return []


def test_the_suites_that_ship_are_in_order_and_known_tasks():
    book = read_suites()
    assert book.findings == ()
    assert {each.suite.name for each in book.listed} == {"multiple-choice", "short-answers"}
    folder = resources.files("agentics.lighteval").joinpath("shipped_suites")
    for file in folder.iterdir():
        assert found(file.read_bytes()) == []


@pytest.mark.parametrize("name", ["mine.json", "mine.yaml", "mine.toml"])
def test_a_suite_is_written_in_any_of_three_ways(name):
    toml = """
schema_version = 1
name = "mine"
version = "1"
primary_metric = "extractive_match"
aggregation = "weighted_mean"
tasks = [{id = "gsm8k", weight = 2}, {id = "mgsm:en", primary_metric = "em"}]
"""
    data = {"mine.json": text(), "mine.yaml": yaml.safe_dump(SUITE).encode(), "mine.toml": toml.encode()}[name]
    suite = parse_suite(data, name, name, rules(CATALOGUE))
    assert (suite.id, [one.ref for one in suite.tasks], suite.missing_tasks) == (
        "mine@1",
        ["gsm8k|0", "mgsm:en|0"],
        "strict",
    )


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(UsageError):
        parse_suite(b"", "mine.txt", "mine.txt")


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"schema_version": 2}, "out_of_range", "/schema_version"),
        ({"name": "a b"}, "string_pattern_mismatch", "/name"),
        ({"owner": "me"}, "unknown_key", "/owner"),
        ({"tasks": []}, "empty_list", "/tasks"),
        ({"aggregation": "max"}, "unknown_value", "/aggregation"),
        ({"missing_tasks": "zero"}, "unknown_value", "/missing_tasks"),
        ({"tasks": [{"id": "gsm8k", "weight": 0}]}, "out_of_range", "/tasks/0/weight"),
        ({"tasks": [{"id": "gsm8k", "weight": -1}]}, "out_of_range", "/tasks/0/weight"),
        ({"tasks": [{"id": "gsm8k", "weight": "2"}]}, "wrong_type", "/tasks/0/weight"),
        ({"tasks": [{"id": "gsm8k", "weight": 2}], "aggregation": "mean"}, "weight_unused", "/tasks/0/weight"),
        ({"tasks": [{"id": "gsm8k"}, {"id": "gsm8k"}]}, "duplicate_task", "/tasks/1"),
        ({"tasks": [{"id": "gsm8k|5"}]}, "bad_task_id", "/tasks/0/id"),
        ({"tasks": [{"id": "gsm9k"}]}, "unknown_task", "/tasks/0/id"),
        ({"tasks": [{"id": "mgsm"}]}, "superset_in_suite", "/tasks/0/id"),
        ({"tasks": [{"id": "gsm8k", "primary_metric": "bleu"}]}, "unknown_metric", "/tasks/0/primary_metric"),
        ({"tasks": [{"id": "hellaswag"}]}, "unknown_metric", "/tasks/0"),
        ({"tasks": [{"id": "gsm8k"}], "primary_metric": None}, "primary_metric_missing", "/tasks/0"),
    ],
)
def test_a_suite_that_is_not_in_order_is_refused_at_its_place(changes, code, pointer):
    assert (code, pointer) in found(text(**changes))


def test_everything_wrong_with_a_suite_is_said_at_once():
    tasks = [{"id": "gsm9k", "weight": 1}, {"id": "mgsm"}, {"id": "gsm8k"}, {"id": "gsm8k"}]
    codes = {code for code, _ in found(text(tasks=tasks, aggregation="mean", name="a b"))}
    assert codes == {"unknown_task", "superset_in_suite", "duplicate_task", "weight_unused", "string_pattern_mismatch"}


def test_one_task_with_other_examples_is_another_task():
    assert found(text(tasks=[{"id": "gsm8k"}, {"id": "gsm8k", "fewshot": 5}])) == []


def test_a_suite_may_have_tasks_of_the_operators_plugins(tmp_path):
    write_plugin(tmp_path / "capitals", tasks=[task("capitals:eu")])
    said = text(tasks=[{"id": "capitals:eu", "primary_metric": "f1"}])
    assert found(said, (tmp_path,)) == []
    assert found(said) == [("unknown_task", "/tasks/0/id")]


def shelf(**files):
    places = {"memory://a": {f"{name}.json": data for name, data in files.items()}}
    return read_suites(tuple(places), places.__getitem__)


def test_suites_are_read_from_wherever_the_operator_keeps_them():
    book = shelf(one=text(), two=text(version="2"), notes=text(name="other"))
    assert {each.source for each in book.listed if each.source.startswith("memory")} == {
        "memory://a/one.json",
        "memory://a/two.json",
        "memory://a/notes.json",
    }
    assert book.find("mine@1").suite.version == "1"
    assert book.find("mine").suite.version == "2"
    assert book.find("mine@3") is book.find("nobody") is None


@pytest.mark.parametrize(
    "versions",
    [["1", "2"], ["1.9", "1.10"], ["1.0-rc1", "1.0"], ["1.0", "1.0.1"], ["1.0rc1", "1.0"], ["2.0a1", "2.0b1", "2.0"]],
)
def test_the_newest_version_is_the_one_that_people_mean(versions):
    book = shelf(**{f"f{index}": text(version=version) for index, version in enumerate(reversed(versions))})
    assert [each.suite.version for each in book.versions("mine")] == versions
    assert book.find("mine").suite.version == versions[-1]


def test_a_name_and_version_mean_one_suite():
    book = shelf(a=text(), b=text(), c=text(aggregation="min", tasks=[{"id": "gsm8k"}]))
    assert [finding.code for finding in book.findings] == ["duplicate_suite"]
    assert book.findings[0].file == "memory://a/c.json"
    for wanted in ("mine", "mine@1"):
        with pytest.raises(UsageError, match=r"a/a\.json and memory://a/c\.json") as caught:
            book.find(wanted)
        assert caught.value.code == "duplicate_suite"
    newer = shelf(a=text(), c=text(aggregation="min", tasks=[{"id": "gsm8k"}]), d=text(version="2"))
    assert newer.find("mine").suite.version == "2"


def test_a_file_that_is_no_suite_hides_no_other():
    book = shelf(a=b"{", b=text())
    assert [(finding.code, finding.file) for finding in book.findings] == [("syntax", "memory://a/a.json")]
    assert book.find("mine") is not None


def test_a_folder_that_is_not_there_is_the_operators_mistake(tmp_path):
    for place in (str(tmp_path / "none"), "s3://bucket/suites"):
        with pytest.raises(ConfigError):
            read_suites((place,))
