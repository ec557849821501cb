"""The challenge's setup runs once: later evaluations take what it left, say so, and are the same in all else."""

from __future__ import annotations

import json
import zipfile

import pytest

from agentics.errors import EngineError
from agentics.model.run.design import Design
from tests.fake_engine import exited, mounted, timed_out
from tests.runner.lab import SPEC, solution
from tests.runner.setuplab import bundle, leaves, record, settings, setups_run


def test_the_second_evaluation_takes_what_the_setup_of_the_first_one_left(made):
    assert made.eval("one", run_id="a").status == 0
    assert made.eval("one", run_id="b").status == 0
    assert setups_run(made) == 1
    assert made.seen[0] == made.seen[1]
    first, second = record(made, "a"), record(made, "b")
    assert (first["reused"], second["reused"]) == (False, True)
    assert {first[name] == second[name] for name in ("key", "made_at", "product")} == {True}
    assert (first["note"], second["note"]) == (None, None)
    for run_id, containers in (("a", 1), ("b", 0)):
        evidence = made.read(f"{run_id}/trials/trial_1/evidence.json")
        assert sum(one["role"] == "challenge-setup" for one in evidence["containers"]) == containers
        assert evidence["setup"]["reused"] is not bool(containers)
        assert made.tasks(run_id) == [("passed", None, 1)]


def test_the_terminal_the_log_and_programs_are_told(made):
    made.eval("one", run_id="a")
    said = made.eval("one", "--json", run_id="b")
    assert said.json["outcomes"]["mine"]["tasks"]["one.linux-arm64-cpu"]["diagnostics"]["challenge_setup"] == {
        "reused": True,
        "made_at": record(made, "a")["made_at"],
    }
    assert "one.linux-arm64-cpu · mine: challenge setup: reused (made " in made.eval("one", run_id="c").err
    (event,) = [one for one in made.lines("runtime/events.jsonl", "b") if one["event"] == "setup_finished"]
    assert (event["trial_id"], event["attempt"], event["reused"]) == ("trial_1", 1, True)
    (event,) = [one for one in made.lines("runtime/events.jsonl", "a") if one["event"] == "setup_finished"]
    assert event["reused"] is False
    log = (made.home / "outputs/b/trials/trial_1/harness_stdout.log").read_text()
    assert log.startswith("\n===== setup-validation =====\nreused: made at 20")


def test_a_run_with_a_reused_setup_is_as_whole_as_any_other(made):
    made.eval("one", run_id="a")
    made.eval("one", run_id="b")
    for words in (("run", "verify", "outputs/b"), ("schema", "validate", "outputs/b"), ("run", "show", "outputs/b")):
        said = made(*words)
        assert said.status == 0, said
    assert made("run", "rebuild", "outputs/b", "--check").status == 0
    shown = made.read("b/public/run.json")
    assert "setup" not in json.dumps(shown)


def test_the_public_is_told_the_same_of_an_official_evaluation_whether_its_setup_was_reused(made):
    made.eval("one", "--mode", "official", run_id="a")
    made.eval("one", "--mode", "official", run_id="b")
    assert (record(made, "a")["reused"], record(made, "b")["reused"]) == (False, True)
    shown = [(made.home / f"outputs/{run_id}/public/run.json").read_text() for run_id in ("a", "b")]
    assert not any(word in text for text in shown for word in ("setup", "reused", record(made, "a")["key"][7:]))
    keys = [sorted(json.loads(text)) for text in shown]
    assert keys[0] == keys[1]


def test_regrades_replays_and_forks_take_what_the_run_had(made):
    made.eval("one")
    for words in (
        ("regrade", "outputs/r"),
        ("replay", "outputs/r", "--trial-id", "trial_1"),
        ("fork", "outputs/r", "--from-trial", "trial_1"),
        ("regrade", "outputs/r", "--dry-run"),
    ):
        assert made("run", *words).status == 0, words
    assert setups_run(made) == 1
    assert len(set(made.seen)) == 1
    assert len(made.seen) == 5
    assert made("run", "verify", "outputs/r").status == 0
    assert record(made, attempt=2)["reused"] is True


def test_the_solutions_of_one_run_share_one_setup_also_side_by_side(made):
    solution(made.home, "other")
    made.run("one", solutions=("mine", "other"), design=Design(replications=2, max_concurrency=4))
    assert setups_run(made) == 1
    assert len(set(made.seen)) == 1
    assert sorted(record(made, trial=f"trial_{n}")["reused"] for n in range(1, 5)) == [False, True, True, True]


# --- What it depends on -----------------------------------------------------------------------------------------------


def changes_the_bundle(made):
    (made.home / "one/separated-evaluator/generate.py").write_text("# another one\n")


def changes_a_mode(made):
    (made.home / "one/separated-evaluator/generate.py").chmod(0o755)


def changes_the_image(made):
    settings(made, '[[images.map]]\nreference = "*"\nimage = "another"\n')


def relaxes_the_image(made):
    settings(made, '[[sandbox.relax]]\nimage = "*"\nallow = ["writable_root"]\n')


@pytest.mark.parametrize("change", [changes_the_bundle, changes_a_mode, changes_the_image, relaxes_the_image])
def test_a_setup_that_depends_on_something_else_runs(made, change):
    made.eval("one", run_id="a")
    change(made)
    made.eval("one", run_id="b")
    assert setups_run(made) == 2
    assert record(made, "a")["key"] != record(made, "b")["key"]
    made.eval("one", run_id="c")
    assert setups_run(made) == 2


def test_the_two_modes_have_setups_of_their_own(made):
    made.eval("one", run_id="a")
    made.eval("one", "--mode", "official", run_id="b")
    assert setups_run(made) == 2


def test_every_overlay_has_a_setup_of_its_own_and_the_same_one_the_same(made):
    for name in ("seed", "other"):
        with zipfile.ZipFile(made.home / f"{name}.zip", "w") as file:
            file.writestr("private/seed.txt", name)
    for run_id, overlay in (("a", "seed"), ("b", "other"), ("c", "seed")):
        made.eval("one", "--mode", "official", "--overlay", f"{overlay}.zip", run_id=run_id)
        assert made.tasks(run_id) == [("passed", None, 1)], run_id
    assert [record(made, run_id)["reused"] for run_id in "abc"] == [False, False, True]


def test_another_solution_changes_nothing(made):
    made.eval("one", run_id="a")
    (made.home / "mine/run.sh").write_text("tac\n")
    made.eval("one", run_id="b")
    assert setups_run(made) == 1


# --- What is not kept -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [exited(1), timed_out(), exited(137, ended="out_of_memory", signal=9)])
def test_a_setup_that_fails_is_not_kept(made, end):
    made.engine.behaviours["challenge-setup"] = leaves(then=end)
    made.eval("one", run_id="a")
    assert [reason for _, reason, _ in made.tasks("a")] == ["challenge_setup_failed"]
    made.engine.behaviours["challenge-setup"] = leaves()
    made.eval("one", run_id="b")
    assert made.tasks("b") == [("passed", None, 1)]
    assert setups_run(made) == 2


def test_a_setup_that_leaves_too_much_is_not_kept(made):
    tight = json.loads(json.dumps(SPEC["targets"]))
    for target in tight:
        target["resource_profile"]["evaluator"]["setup"]["disk_limit_mb"] = 1
    bundle(made, "tight", targets=tight)
    made.engine.behaviours["challenge-setup"] = leaves(data="x" * (2 << 20))
    for run_id in ("a", "b"):
        made.eval("tight", run_id=run_id)
        assert [reason for _, reason, _ in made.tasks(run_id)] == ["challenge_setup_failed"]
    assert setups_run(made) == 2


@pytest.mark.parametrize("manifest", [None, "{}", "nonsense"])
def test_a_setup_without_the_manifest_that_it_owes_is_not_kept_and_the_note_says_why(made, manifest):
    usual = leaves()

    def behave(container):
        ended = usual(container)
        file = mounted(container, "/setup/runs.json")
        file.unlink() if manifest is None else file.write_text(manifest)
        return ended

    made.engine.behaviours["challenge-setup"] = behave
    said = made.eval("one", run_id="a")
    assert "challenge setup: not kept: the manifest that it has to leave is missing, or breaks its contract" in said.err
    assert [reason for _, reason, _ in made.tasks("a")] == ["manifest_invalid"]
    assert record(made, "a")["product"] is None
    made.engine.behaviours["challenge-setup"] = usual
    made.eval("one", run_id="b")
    assert made.tasks("b") == [("passed", None, 1)]


def test_an_engine_that_fails_in_the_setup_keeps_nothing_and_holds_nobody_up(made):
    made.engine.failures["wait"] = [EngineError("lost", code="engine_lost", retryable=True)]
    made.eval("one")
    assert made.tasks() == [("passed", None, 2)]
    assert record(made, attempt=2)["reused"] is False


def test_what_a_participant_does_is_never_reused(made):
    manifest = made.home / "mine/agentics.solution.json"
    manifest.write_text(
        manifest.read_text().replace('"commands": {', '"commands": {"setup": "s.sh", "build": "b.sh", ')
    )
    for name in ("s.sh", "b.sh"):
        (made.home / "mine" / name).write_text("true\n")
    for run_id in ("a", "b"):
        made.eval("one", run_id=run_id)
    roles = [container.role for container in made.engine.containers]
    assert (roles.count("setup"), roles.count("build"), roles.count("challenge-setup")) == (2, 2, 1)


# --- Anew, or never ---------------------------------------------------------------------------------------------------


def test_fresh_setup_runs_it_once_more_and_replaces_what_is_kept(made):
    made.eval("one", run_id="a")
    solution(made.home, "other")
    made.engine.behaviours["challenge-setup"] = leaves(cases=3)
    made.eval("one", "--fresh-setup", "--solution", "other", run_id="b")
    assert setups_run(made) == 2
    assert [record(made, "b", trial=f"trial_{n}")["reused"] for n in (1, 2)] == [False, True]
    made.eval("one", run_id="c")
    assert made.seen[1] == made.seen[2] == made.seen[3] != made.seen[0]
    assert record(made, "c")["made_at"] == record(made, "b")["made_at"]


def test_fresh_setup_is_no_other_scope(made):
    made.eval("one", "--fresh-setup")
    said = made.eval("one", "--no-resume")
    assert said.status == 0
    assert [record(made, attempt=n)["reused"] for n in (1, 2)] == [False, True]
    assert made.eval("one", "--no-resume", "--fresh-setup").status == 0
    assert setups_run(made) == 2


@pytest.mark.parametrize("how", ["eval file", "experiment", "continue", "replay"])
def test_every_command_that_runs_setups_can_run_them_anew(made, how):
    made.eval("one")
    match how:
        case "eval file":
            (made.home / "fresh.toml").write_text("fresh_setup = true\n")
            said = made.eval("one", "--config", "fresh.toml", run_id="b")
        case "experiment":
            file = {"name": "e", "tasks": [{"bundle": "one"}], "variants": [{"solution": "mine"}]}
            (made.home / "e.json").write_text(json.dumps(file))
            said = made("experiment", "run", "e.json", "--fresh-setup")
        case "replay":
            said = made("run", "replay", "outputs/r", "--trial-id", "trial_1", "--fresh-setup")
        case _:
            made.engine.failures["reap"] = [EngineError("gone", code="engine_lost")]
            made.eval("one", run_id="stopped")
            said = made("run", "continue", "outputs/stopped", "--fresh-setup")
    assert said.status == 0, said
    assert setups_run(made) == 2


def test_where_the_operator_wants_no_reuse_nothing_is_kept_and_nothing_recorded(made):
    settings(made, "[setup]\nreuse = false\n")
    for run_id in ("a", "b"):
        made.eval("one", run_id=run_id)
        assert made.lines("trials/trial_1/attempts/1/setups.jsonl", run_id) == []
        assert made.read(f"{run_id}/trials/trial_1/evidence.json")["setup"] is None
    assert setups_run(made) == 2
    assert not list(made.home.parent.glob("scratch/*"))


def test_what_is_larger_than_the_operator_allows_is_not_kept(made):
    settings(made, "[setup]\nkeep_bytes = 100\n")
    said = made.eval("one", run_id="a")
    assert said.status == 0
    assert "challenge setup: not kept: 0.0 MiB, and at most 0.0 MiB may be kept" in said.err
    made.eval("one", run_id="b")
    assert setups_run(made) == 2


def test_a_kept_setup_that_was_changed_is_not_used_and_the_terminal_says_so(made):
    made.eval("one", run_id="a")
    (tree,) = made.home.parent.glob("scratch/setups-*/*.1/content")
    (tree / "runs.json").write_text("{}")
    said = made.eval("one", run_id="b")
    assert "what was kept is no longer what it was, and was not used" in said.err
    assert made.tasks("b") == [("passed", None, 1)]
    assert (setups_run(made), record(made, "b")["reused"]) == (2, False)


def test_c13_that_a_setup_was_finished_rests_on_no_event(made):
    made.eval("one", run_id="a")
    assert made.check_that_nothing_rests_on_events("a")["trial_1"]["setup_finished"] == 1
