"""Plugins: found by path or name, pinned by version and content, and read without being run."""

from __future__ import annotations

import json

import pytest

from agentics.archive.digest import tree_digest
from agentics.config import Config, Lighteval
from agentics.lighteval.plugins import installed
from tests.lighteval.conftest import CAPITALS, spec, task, write_plugin


def job(*plugins, name="capitals"):
    return spec(tasks=[{"id": name}], custom_plugins=list(plugins))


@pytest.fixture
def shelf(world):
    """A check with the operator's folder of plugins."""
    config = Config(lighteval=Lighteval(plugins=(world.root / "plugins",)))
    return lambda said: world.check(said, config=config)


def test_a_plugin_is_found_by_its_path_and_identified_by_its_content(world):
    found = world.check(job(CAPITALS)).job.plugins[0]
    assert found.root == world.root / "plugins/capitals"
    assert found.sha256 == f"sha256:{tree_digest(found.root)}"
    assert [one.name for one in found.manifest.tasks] == ["capitals:eu", "capitals:us", "odd"]


def test_a_plugin_is_found_by_name_in_the_operators_folders(shelf, world):
    found = shelf(job({"name": "capitals", "version": "1.0"}))
    assert (found.said, found.job.plugins[0].root) == ([], world.root / "plugins/capitals")


def test_a_plugin_that_is_nowhere_is_refused_with_what_to_do(world):
    found = world.check(job({"name": "none", "version": "1"}, {**CAPITALS, "path": "plugins/none"}))
    assert found.errors == [
        ("plugin_not_found", "/custom_plugins/0/name"),
        ("plugin_not_found", "/custom_plugins/1/path"),
    ]
    assert "[lighteval] plugins" in found.hints


def test_d11_another_version_is_refused(world, shelf):
    found = world.check(job({**CAPITALS, "version": "1.1"}))
    assert found.errors == [("plugin_version_mismatch", "/custom_plugins/0/version")]
    assert "'1.0'" in found.hints
    found = shelf(job({"name": "capitals", "version": "1.1"}))
    assert found.errors == [("plugin_version_mismatch", "/custom_plugins/0/version")]
    assert found.hints == "there is 1.0"


def test_d11_of_several_versions_the_one_that_is_asked_for_is_taken(world, shelf):
    write_plugin(world.root / "plugins/newer", name="capitals", version="2.0", tasks=[task("capitals:eu")])
    found = shelf(job({"name": "capitals", "version": "2.0"}))
    assert found.job.plugins[0].root == world.root / "plugins/newer"


def test_one_version_in_two_places_is_refused(world, shelf):
    write_plugin(world.root / "plugins/copy", name="capitals", tasks=[task("capitals:eu")])
    found = shelf(job({"name": "capitals", "version": "1.0"}))
    assert found.errors == [("duplicate_plugin", "/custom_plugins/0/name")]
    assert shelf(job(CAPITALS)).said == []


def test_other_content_than_was_pinned_is_refused(world):
    root = world.root / "plugins/capitals"
    pinned = {**CAPITALS, "sha256": f"sha256:{tree_digest(root)}"}
    assert world.check(job(pinned)).said == []
    (root / "tasks.py").write_text("TASKS_TABLE = [1]\n")
    found = world.check(job(pinned))
    assert found.errors == [("plugin_digest_mismatch", "/custom_plugins/0/sha256")]
    assert tree_digest(root) in found.hints
    (root / "__pycache__").mkdir()
    assert "__pycache__ counts too" in world.check(job(pinned)).hints


def test_a_folder_of_another_name_is_refused(world):
    found = world.check(job({**CAPITALS, "name": "capital"}))
    assert found.errors == [("plugin_name_mismatch", "/custom_plugins/0/name")]


def test_a_plugin_is_listed_once(world):
    assert world.check(job(CAPITALS, CAPITALS)).errors == [("duplicate_plugin", "/custom_plugins/1/name")]


@pytest.mark.parametrize("target", ["/etc/passwd", "tasks.py", ".."])
def test_a_link_in_a_plugin_is_refused(world, target):
    (world.root / "plugins/capitals/link").symlink_to(target)
    found = world.check(job(CAPITALS))
    assert found.errors == [("plugin_symlink", "/custom_plugins/0/name")]


def test_a_manifest_that_is_a_link_is_not_read(world):
    manifest = world.root / "plugins/capitals/agentics.plugin.json"
    manifest.rename(world.root / "elsewhere.json")
    manifest.symlink_to(world.root / "elsewhere.json")
    assert world.check(job(CAPITALS)).errors == [("plugin_invalid", "/custom_plugins/0/name")]


INVALID = [
    ({"schema_version": 2}, "out_of_range", "/schema_version"),
    ({"owner": "me"}, "unknown_key", "/owner"),
    ({"type": "tool"}, "unknown_value", "/type"),
    ({"module": "../tasks.py"}, "bad_path", "/module"),
    ({"module": "tasks.txt"}, "bad_path", "/module"),
    ({"module": "other.py"}, "missing_file", "/module"),
    ({"tasks": []}, "empty_list", "/tasks"),
    ({"metrics": ["x"]}, "field_unsupported", "/metrics"),
    ({"type": "metric"}, "empty_list", "/metrics"),
    ({"tasks": [task("a"), task("a")]}, "duplicate_name", "/tasks/1"),
    ({"tasks": [task("a|b")]}, "bad_task_id", "/tasks/0/name"),
    ({"tasks": [task("a", sampling=["rolling"])]}, "unknown_value", "/tasks/0/sampling/0"),
    ({"tasks": [task("a", sampling=[])]}, "empty_list", "/tasks/0/sampling"),
    ({"tasks": [task("a", primary_metric="bleu")]}, "unknown_metric", "/tasks/0/primary_metric"),
    ({"tasks": [task("a", fewshot_pool=-1)]}, "out_of_range", "/tasks/0/fewshot_pool"),
]


@pytest.mark.parametrize(("change", "code", "pointer"), INVALID)
def test_a_manifest_that_is_not_in_order_is_refused_in_both_files(world, change, code, pointer):
    root = world.root / "plugins/capitals"
    manifest = {"tasks": [task("capitals:eu")], **change}
    write_plugin(root, **manifest)
    found = world.check(job(CAPITALS))
    assert ("plugin_invalid", "/custom_plugins/0/name") in found.errors
    there = [(f.code, f.pointer) for f in found.findings if f.file == str(root / "agentics.plugin.json")]
    assert (code, pointer) in there
    assert all(finding.line > 0 for finding in found.findings)


def test_everything_wrong_with_every_plugin_is_said_at_once(world):
    write_plugin(world.root / "plugins/capitals", tasks=[task("a b")])
    (world.root / "plugins/echo/agentics.plugin.json").write_text("{")
    echo = {"name": "echo", "version": "1.0", "path": "plugins/echo"}
    found = world.check(job(CAPITALS, echo, {"name": "none", "version": "1"}))
    assert {code for code, _ in found.errors} == {"plugin_invalid", "bad_task_id", "syntax", "plugin_not_found"}


def test_a_task_has_one_definition(world):
    write_plugin(world.root / "plugins/again", tasks=[task("capitals:eu"), task("gsm8k")])
    again = {"name": "again", "version": "1.0", "path": "plugins/again"}
    found = world.check(job(CAPITALS, again))
    assert found.errors == [("task_conflict", "/custom_plugins/1/name")] * 2
    said = " ".join(finding.message for finding in found.findings)
    assert "the plugin 'capitals' defines it too" in said
    assert "LightEval defines it too" in said


def test_what_is_no_plugin_in_the_operators_folders_is_passed_over(world):
    (world.root / "plugins/notes.txt").write_text("x")
    (world.root / "plugins/broken").mkdir()
    (world.root / "plugins/broken/agentics.plugin.json").write_text(json.dumps({"name": "broken"}))
    assert {one.name for one in installed((world.root / "plugins", world.root / "none"))} == {
        "capitals", "echo", "shout",
    }  # fmt: skip
