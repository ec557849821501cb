"""The experiment file: three formats, one meaning; every field has an effect or is refused, at its place."""

from __future__ import annotations

import pytest

from agentics.errors import AgenticsError, InvalidDocument
from agentics.model.run.design import AdapterCommand, Design, Pruning, RetryPolicy
from agentics.request.experiment_file import asked_for, parse_experiment
from tests.experiment.files import PLAIN, RESOLVED, changed, refusals, request, write

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
YAML = """
name: n
seed: 7
tasks: [one, {bundle: two}]
variants:
  - {solution: mine, name: a}
  - solution: other
    name: b
    bindings: {depth: 3, text: 'x', nothing: null}
retry: {max_attempts: 2, retry_on: [timeout]}
"""
TOML = """
name = "n"
seed = 7
tasks = ["one", {bundle = "two"}]
retry = {max_attempts = 2, retry_on = ["timeout"]}
[[variants]]
solution = "mine"
name = "a"
[[variants]]
solution = "other"
name = "b"
bindings = {depth = 3, text = "x"}
"""


def test_the_three_formats_say_the_same(stocked):
    document = {
        "name": "n",
        "seed": 7,
        "tasks": ["one", {"bundle": "two"}],
        "variants": [
            {"solution": "mine", "name": "a"},
            {"solution": "other", "name": "b", "bindings": {"depth": 3, "text": "x", "nothing": None}},
        ],
        "retry": {"max_attempts": 2, "retry_on": ["timeout"]},
    }
    from_json = request(stocked.home, document)
    assert from_json == request(stocked.home, YAML, "e.yaml") == request(stocked.home, YAML, "e.yml")
    # TOML has no null.
    without = changed(document, "/variants/1/bindings", {"depth": 3, "text": "x"})
    assert request(stocked.home, without) == request(stocked.home, TOML, "e.toml")


def test_what_is_not_said_is_one_plain_run_of_every_variant_on_every_task(stocked):
    asked = request(stocked.home, PLAIN)
    assert asked.design == Design(comparison="paired")
    assert asked.bundles == (stocked.home / "one", stocked.home / "two")
    assert asked.solutions == (("mine", stocked.home / "mine"), ("other", stocked.home / "other"))
    assert (asked.mode, asked.tasks, asked.adapter, asked.run_id) == ("validation", (), None, None)


EFFECTS = {
    "name": ("better", lambda r: r.experiment["name"], "better"),
    "description": ("why", lambda r: r.experiment.get("description"), "why"),
    "owner": ("me", lambda r: r.experiment.get("owner"), "me"),
    "tasks": ([{"bundle": "two", "target": "linux-arm64-cpu"}], lambda r: r.tasks, ("two.linux-arm64-cpu",)),
    "jobspecs": (["job.json"], lambda r: [path.name for path in r.jobspecs], ["job.json"]),
    "target": ("linux-arm64-cpu", lambda r: r.target, "linux-arm64-cpu"),
    "mode": ("official", lambda r: r.mode, "official"),
    "baseline": ("other", lambda r: r.baseline, "other"),
    "replications": (3, lambda r: r.design.replications, 3),
    "scheduling": ("randomized", lambda r: r.design.scheduling, "randomized"),
    "comparison": ("unpaired", lambda r: r.design.comparison, "unpaired"),
    "seed": (5, lambda r: r.design.random_seed, 5),
    "shuffle_tasks": (True, lambda r: r.design.shuffle_tasks, True),
    "max_concurrency": (4, lambda r: r.design.max_concurrency, 4),
    "retry": (
        {"max_attempts": 3, "retry_on": ["error"]},
        lambda r: r.design.retry,
        RetryPolicy(max_attempts=3, retry_on=("error",)),
    ),
    "pruning": (
        {"max_consecutive_failures": 2},
        lambda r: r.design.pruning,
        Pruning(max_consecutive_failures=2),
    ),
    "limits": ({"trial_s": 1.5}, lambda r: r.trial_timeout_s, 1.5),
    "limit": (2, lambda r: r.limit, 2),
    "jobs": (2, lambda r: r.jobs, 2),
    "images": ({"a/*": "b"}, lambda r: r.images, (("a/*", "b"),)),
    "exit_policy": ("strict", lambda r: r.exit_policy, "strict"),
    "benchmark": (
        {"adapter": {"command": ["a", "b"]}, "policy": {"required_evidence_classes": ["stderr_ref"]}},
        lambda r: r.adapter,
        AdapterCommand(command=("a", "b"), required_evidence=("stderr_ref",)),
    ),
    "variants": (
        [{"solution": "mine", "bindings": {"x": None}, "integration": "sdk_full"}],
        lambda r: (r.solutions[0][0], r.bindings, r.integration),
        ("mine", {"mine": {"x": None}}, {"mine": "sdk_full"}),
    ),
}


@pytest.mark.parametrize("key", EFFECTS)
def test_every_field_has_its_effect(stocked, key):
    value, look, expected = EFFECTS[key]
    assert look(request(stocked.home, {**PLAIN, key: value})) == expected
    assert look(request(stocked.home, {**PLAIN, "name": "other"})) != expected


def test_every_field_of_the_file_is_tested_for_its_effect():
    from agentics.model.run.experiment_file import ExperimentFile

    assert EFFECTS.keys() == ExperimentFile.model_fields.keys()


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        ("/tasks", [], "empty_list"),
        ("/tasks", "one", "wrong_type"),
        ("/variants", [], "empty_list"),
        ("/replications", 0, "out_of_range"),
        ("/replications", "2", "wrong_type"),
        ("/replications", True, "wrong_type"),
        ("/scheduling", "random", "unknown_value"),
        ("/max_concurrency", 0, "out_of_range"),
        ("/seed", -1, "out_of_range"),
        ("/retry/max_attempts", 0, "out_of_range"),
        ("/retry/retry_on", ["crash"], "unknown_value"),
        ("/pruning/max_consecutive_failures", 0, "out_of_range"),
        ("/limits/trial_s", 0, "out_of_range"),
        ("/baseline", "nobody", "unknown_variant"),
        ("/variants/0/bindings", {"solution": "x"}, "reserved_name"),
        ("/variants/1/solution", "x/mine", "variant_collision"),
        ("/benchmark/policy/required_evidence_classes", ["x"], "unknown_value"),
        ("/replication", 2, "unknown_key"),
    ],
)
def test_bad_values_are_refused_at_their_place(stocked, pointer, value, code):
    document = changed(PLAIN, pointer, value)
    if pointer.startswith("/benchmark"):
        document["benchmark"]["adapter"] = {"command": ["a"]}
    found = refusals(stocked.home, document)
    assert code in [c for c, _ in found]
    assert any(place.startswith(pointer.rpartition("/")[0]) for _, place in found)


@pytest.mark.parametrize(
    "benchmark",
    [None, {}, {"adapter": None}, {"adapter": {}}, {"adapter": {"command": []}}, {"adapter": {"command": [""]}}],
)
@pytest.mark.parametrize("document", [PLAIN, RESOLVED], ids=["plain", "resolved"])
def test_c2_a_benchmark_without_a_command_is_refused_before_there_is_a_run(stocked, benchmark, document):
    path = write(stocked.home, {**document, "benchmark": benchmark})
    said = stocked("experiment", "run", path, "--json")
    assert said.status == 2
    places = [finding["pointer"] for finding in said.json["error"]["details"]["findings"]]
    assert places[0].startswith("/benchmark")
    assert "/benchmark/adapter/command".startswith(places[0].removesuffix("/0"))
    assert not (stocked.home / "outputs").exists()


def test_a_comparison_of_one_variant_is_refused(stocked):
    alone = {**PLAIN, "variants": [{"solution": "mine"}]}
    assert request(stocked.home, alone).design.comparison == "none"
    assert refusals(stocked.home, {**alone, "comparison": "paired"}) == [("nothing_to_compare", "/comparison")]


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_known(stocked):
    path = write(stocked.home, YAML + "replicatons: 2\n", "e.yaml")
    with pytest.raises(InvalidDocument) as refused:
        parse_experiment(path)
    (finding,) = refused.value.findings
    assert (finding.code, finding.pointer, finding.line, finding.column) == ("unknown_key", "/replicatons", 11, 1)
    assert finding.hint == "did you mean 'replications'?"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("name: a\nname: b\n", "duplicate_key", 2),
        ("name: [\n", "syntax", 2),
        ("name: 2026-01-01\n", "not_json", 1),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "bad_key", 3),
        ("1: a\n", "bad_key", 1),
        ("a: !!python/object:os.system x\n", "not_json", 1),
        ("a: .nan\n", "not_json", 1),
        ("a: 0x_\n", "number_out_of_range", 1),
        (f"a: 1\nb: {'9' * 5000}\n", "number_out_of_range", 2),
        (f"a: {'1:' * 5000}1\n", "number_out_of_range", 1),
        ("a: &a [*a]\n", "too_deep", 1),
        (BOMB, "too_many_values", 1),
    ],
)
def test_yaml_that_is_more_than_json_is_refused_with_its_line(stocked, text, code, line):
    with pytest.raises(InvalidDocument) as refused:
        parse_experiment(write(stocked.home, text, "e.yaml"))
    (finding,) = refused.value.findings
    assert (finding.code, finding.line) == (code, line)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e.json", "{"),
        ("e.toml", "a ="),
        ("e.toml", "a = 2026-01-01"),
        ("e.toml", "a = nan"),
        ("e.yaml", "\x00"),
        ("e.yaml", ""),
        ("e.yaml", "- a"),
        ("e.json", "[]"),
        ("e.txt", "{}"),
        ("missing/e.json", None),
    ],
)
def test_what_cannot_be_read_is_an_error_of_ours(stocked, name, text):
    path = stocked.home / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert stocked("experiment", "run", path, "--json").status == 2


def test_a_word_of_a_command_that_begins_with_a_dot_is_relative_to_the_file(stocked):
    asked = request(stocked.home, {**PLAIN, "benchmark": {"adapter": {"command": ["python3", "./a.py", "."]}}})
    assert asked.adapter is not None
    assert asked.adapter.command == ("python3", str((stocked.home / "a.py").resolve()), ".")


def test_an_overlay_belongs_to_its_task_and_to_official_mode(stocked):
    (stocked.home / "private").mkdir()
    tasks = [{"bundle": "one", "overlays": ["private"]}, "two"]
    asked = request(stocked.home, {**PLAIN, "mode": "official", "tasks": tasks})
    assert asked.overlays == (("one", stocked.home / "private"),)
    assert refusals(stocked.home, {**PLAIN, "tasks": tasks}) == [("overlay_in_validation", "/tasks/0/overlays")]


def test_a_task_that_is_no_bundle_is_an_error_of_ours(stocked):
    path = write(stocked.home, {**PLAIN, "tasks": ["mine"]})
    with pytest.raises(AgenticsError):
        asked_for(parse_experiment(path), path.parent)
