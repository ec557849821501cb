"""The challenge's setup runs once: later evaluations take what it left, say so, and are the same in all else."""

from __future__ import annotations

import json
import os
import signal
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentics.errors import EngineError
from agentics.model.design import Design
from agentics.runner.floor import Floor, Ticket
from agentics.sandbox.filelock import try_lock
from agentics.sandbox.fingerprint import content
from agentics.sandbox.labels import TRIAL
from tests.fake_engine import FakeEngine, Held, exited, mounted, timed_out
from tests.runner.lab import SPEC, evaluator, solution

SETUP = {
    "command": ["python3", "separated-evaluator/generate.py"],
    "result_runs_file": "runs.json",
    "reproducibility_notes": None,
}
EXECUTION = {
    **SPEC["execution"],
    "validation_runs": None,
    "validation_setup": SETUP,
    "official_runs": None,
    "official_evaluation_setup": SETUP,
}
RUN = {"interface": "stdio", "stdin_json": None, "stdin_text": "x", "input_files": None, "output_files": None}


def leaves(cases=2, then=None, **files):
    """A setup that leaves a manifest of so many cases, these files, a link, and a time that no copy has by chance."""

    def behave(container):
        place = mounted(container, "/setup")
        runs = [{"run_name": f"case-{n}", **RUN, "metadata": None} for n in range(1, cases + 1)]
        (place / "runs.json").write_text(json.dumps({"runs": runs}))
        for name, text in files.items():
            (place / name).write_text(text)
        (place / "env").mkdir()
        (place / "env/python").symlink_to("/usr/bin/python3")
        os.utime(place / "env", ns=(1, 1_234_567_890_123_456_789))
        return then or exited()

    return behave


@pytest.fixture
def made(lab):
    """A bundle with a setup, and what its evaluators had at /setup, in their order."""
    bundle(lab)
    lab.engine.behaviours["challenge-setup"] = leaves()
    lab.seen, usual = [], evaluator()

    def behave(container):
        lab.seen.append(content(mounted(container, "/setup")))
        return usual(container)

    lab.engine.behaviours["separated-evaluator"] = behave
    return lab


def bundle(lab, name="one", execution=EXECUTION, **more):
    root = lab.bundle(name, execution=execution, **more)
    (root / "separated-evaluator/generate.py").write_text("# the fake engine leaves what it leaves\n")
    return root


def setups_run(lab):
    return sum(container.role == "challenge-setup" for container in lab.engine.containers)


def record(lab, run_id="r", trial="trial_1", attempt=1):
    """How an attempt came by the product."""
    (found,) = lab.lines(f"trials/{trial}/attempts/{attempt}/setups.jsonl", run_id)
    return found


def settings(lab, text):
    file = lab.home / "agentics.toml"
    file.write_text(f"{file.read_text()}\n{text}\n")


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
    assert said.json["outcomes"]["mine"]["tasks"]["one.linux-arm64-cpu"]["diagnostics"] == {
        "challenge_setup": {"reused": True, "made_at": record(made, "a")["made_at"]}
    }
    assert "one.linux-arm64-cpu · mine: challenge setup: reused (made " in made.eval("one", run_id="c").err
    (event,) = [one for one in made.lines("runtime/events.jsonl", "b") if one["event"] == "setup_finished"]
    assert (event["trial_id"], event["attempt"], event["reused"]) == ("trial_1", 1, True)
    (event,) = [one for one in made.lines("runtime/events.jsonl", "a") if one["event"] == "setup_finished"]
    assert event["reused"] is False
    log = (made.home / "outputs/b/trials/trial_1/harness_stdout.log").read_text()
    assert "===== setup-validation =====\nreused: made at 20" in log


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
    assert "challenge setup: not kept: runs.json is missing or breaks its contract" in said.err
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


# --- Who waits --------------------------------------------------------------------------------------------------------


@pytest.fixture
def making(made):
    """Two solutions side by side: one is in the middle of the setup, the other is about to wait for it."""
    solution(made.home, "other")
    held = Held(then=leaves())
    made.engine.behaviours["challenge-setup"] = held
    with ThreadPoolExecutor(max_workers=1) as pool:
        two = {"solutions": ("mine", "other"), "design": Design(max_concurrency=2)}
        ended = pool.submit(made.run, "one", **two)
        assert held.entered.wait(30)
        until_waiting(made)
        yield held, ended
        held.release.set()


def until_waiting(lab, run_id="r"):
    """Until a trial has said that it waits."""
    log = lab.home / "outputs" / run_id / "runtime/eval.log"
    a_moment = threading.Event()
    for _ in range(3000):
        if log.exists() and "setup_waiting" in log.read_text():
            return
        a_moment.wait(0.01)
    raise AssertionError("no trial waits")


def test_who_waits_is_told_of_and_takes_what_the_other_one_made(made, making):
    held, ended = making
    held.release.set()
    assert ended.result(30).exit_status == 0
    assert setups_run(made) == 1
    assert sorted(record(made, trial=f"trial_{n}")["reused"] for n in (1, 2)) == [False, True]


def test_who_waited_for_a_setup_that_failed_runs_its_own(made, making):
    held, ended = making
    usual = leaves()

    def fails_first(container):
        ended = usual(container)
        return exited(1) if container.labels[TRIAL] == first else ended

    (first,) = [c.labels[TRIAL] for c in made.engine.containers if c.role == "challenge-setup"]
    held.then = fails_first
    held.release.set()
    ended.result(30)
    assert setups_run(made) == 2
    told = sorted(status for variant in ("mine", "other") for status, _, _ in made.tasks(variant=variant))
    assert told == ["error", "passed"]


def test_a_run_that_is_killed_ends_also_for_who_waits(made, making):
    _, ended = making
    said = made("run", "kill", "outputs/r", "--json")
    assert said.status == 0, said
    assert ended.result(30).exit_status == 8
    assert made.read("r/runtime/run_control.json")["status"] == "killed"


def test_a_run_is_paused_and_goes_on_also_for_who_waits(made, making):
    held, ended = making
    said = made("run", "pause", "outputs/r", "--json")
    assert said.status == 0, said
    assert sorted(said.json["pause"]["trial_ids"]) == ["trial_1", "trial_2"]
    held.release.set()
    assert not ended.done()
    assert made("run", "resume", "outputs/r", "--json").status == 0
    assert ended.result(30).exit_status == 0
    assert setups_run(made) == 1


def test_a_signal_ends_who_waits(made):
    made.eval("one", run_id="a")
    (product,) = made.home.parent.glob("scratch/setups-*/*.1")
    product.rename(made.home / "away")
    # Another process is in the middle of the setup.
    making = try_lock(product.with_suffix(".lock"), exclusive=True, create=True)

    def interrupt():
        until_waiting(made, "b")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    said = made.eval("one", run_id="b")
    thread.join()
    os.close(making)
    assert said.status == 130
    assert made.tasks("b") == [("pending", "interrupted", 1)]


def test_waiting_counts_against_no_limit_and_neither_does_being_paused_meanwhile():
    now = [0.0]
    floor = Floor(FakeEngine(), {}, threading.Event(), clock=lambda: now[0])
    ticket = Ticket(None, floor.stop, began=0.0, limit_s=10.0)
    now[0] = 5.0
    with floor.waiting(ticket):
        now[0] = 1000.0
        assert not ticket.over_limit(now[0])
        ticket.stop_clock(now[0])
        now[0] = 2000.0
    assert not ticket.over_limit(now[0])
    ticket.start_clock(3000.0)
    assert not ticket.over_limit(3004.9)
    assert ticket.over_limit(3005.0)


# --- The machine ------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(made, monkeypatch):
    """`doctor` and `clean` of this machine; no engine answers them."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    return made


def test_cleaning_removes_kept_setups_only_when_it_is_asked_to(machine):
    machine.eval("one", run_id="a")
    machine("clean")
    machine.eval("one", run_id="b")
    assert setups_run(machine) == 1
    assert machine("clean", "--setups").out.startswith("kept setups: removed 1 (0.0 MiB)\n")
    machine.eval("one", run_id="c")
    assert setups_run(machine) == 2


def test_cleaning_leaves_what_is_in_use_and_says_so(machine):
    held = Held(then=evaluator())
    machine.engine.behaviours["separated-evaluator"] = held
    with ThreadPoolExecutor(max_workers=1) as pool:
        ended = pool.submit(machine.run, "one")
        assert held.entered.wait(30)
        assert "kept setups: removed 0 (0.0 MiB); 1 in use stayed" in machine("clean", "--setups").out
        held.release.set()
        assert ended.result(30).exit_status == 0
    assert "kept setups: removed 1 (" in machine("clean", "--setups").out
