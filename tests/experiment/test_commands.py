"""`agentics experiment`: run, plan and preflight, as a user calls them."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from agentics.errors import EngineError, EngineMissing
from tests.experiment.files import PLAIN, write
from tests.memory_store import MemoryStore
from tests.runner.lab import SPEC


@pytest.fixture
def file(stocked):
    return write(stocked.home, {**PLAIN, "replications": 2, "scheduling": "paired_interleaved"})


@pytest.fixture
def probed(stocked, monkeypatch):
    """The engine also when it is asked before a run."""

    @contextmanager
    def open_engine(*_):
        yield stocked.engine

    stocked.engine.probe = lambda image, _runtime: stocked.engine.note("probe", image)
    monkeypatch.setattr("agentics.usecases.preflight.open_engine", open_engine)
    monkeypatch.setenv("AGENTICS_MIN_FREE_BYTES", "1")
    return stocked


def checks(stocked, file) -> tuple[int, dict[str, tuple[bool, bool]], dict[str, str]]:
    said = stocked("experiment", "preflight", file, "--json")
    told = said.json["checks"]
    assert said.json["passed"] is said.json["ok"] is (said.status == 0)
    return said.status, {c["name"]: (c["passed"], c["skipped"]) for c in told}, {c["name"]: c["message"] for c in told}


def test_a_run_is_always_a_new_one_and_says_what_it_was(stocked):
    file = write(stocked.home, PLAIN)
    said = [stocked("experiment", "run", file, "--json") for _ in range(2)]
    assert [one.status for one in said] == [0, 0]
    assert len({one.json["run"]["run_id"] for one in said}) == 2
    told = said[0].json
    assert (told["ok"], told["command"]) == (True, "experiment run")
    assert told["summary"]["total_trials"] == 4
    assert told["summary"]["comparison"] == "paired"
    assert told["artifacts"]["benchmark_dir"] is None
    assert set(told["outcomes"]) == {"mine", "other"}


def test_options_win_over_the_file(stocked):
    file = write(stocked.home, {**PLAIN, "exit_policy": "relaxed"})
    said = stocked(
        "experiment", "run", file, "--json", "--limit", "1", "--exit-policy", "strict", "--output-path", "here"
    )
    assert said.json["run"]["run_id"].endswith("_LIMITED")
    assert said.json["outcomes"]["mine"]["exit_policy"] == "strict"
    assert (stocked.home / "here" / said.json["run"]["run_id"]).is_dir()


def test_a_plan_lists_every_slot_in_order_and_starts_nothing(stocked, file):
    said = stocked("experiment", "plan", file, "--json").json
    assert [(s["variant_id"], s["task_id"], s["repl_idx"]) for s in said["schedule"]][:5] == [
        ("mine", "one.linux-arm64-cpu", 0),
        ("mine", "one.linux-arm64-cpu", 1),
        ("other", "one.linux-arm64-cpu", 0),
        ("other", "one.linux-arm64-cpu", 1),
        ("mine", "two.linux-arm64-cpu", 0),
    ]
    assert said["summary"]["total_trials"] == len(said["schedule"]) == 8
    assert said["resolved_experiment"]["design"]["policies"]["scheduling"] == "paired_interleaved"
    assert stocked.engine.containers == []
    assert "paired interleaved" in stocked("experiment", "plan", file).out


def test_nothing_stands_in_the_way(probed, file):
    status, found, told = checks(probed, file)
    assert status == 0
    assert set(found.values()) == {(True, False)}
    assert "mine" in told["variant_runtime_profiles"]
    assert not (probed.home / "outputs").exists()


def test_what_stands_on_a_failed_check_is_skipped(probed, file):
    (probed.home / "other" / "agentics.solution.json").unlink()
    status, found, told = checks(probed, file)
    assert status == 1
    assert found["variant_runtime_profiles"] == (False, False)
    assert found["dataset_task_ids"] == (True, False)
    assert found["container_ready"] == found["agent_runtime_reachable"] == (False, True)
    assert told["container_ready"] == "skipped: schedule failed"


def test_a_missing_bundle_is_found(probed):
    status, found, _ = checks(probed, write(probed.home, {**PLAIN, "tasks": ["nowhere"]}))
    assert (status, found["dataset_task_ids"]) == (1, (False, False))
    assert found["variant_runtime_profiles"] == (True, False)
    assert found["benchmark_grader_reachable"] == (False, True)


def test_two_tasks_of_one_name_are_found(probed):
    (probed.home / "copy").symlink_to(probed.home / "one")
    status, found, told = checks(probed, write(probed.home, {**PLAIN, "tasks": ["one", "copy"]}))
    assert (status, found["schedule"]) == (1, (False, False))
    assert "two bundles are called 'one'" in told["schedule"]


def test_an_image_that_the_run_will_build_is_no_fault_and_is_told(probed, file):
    probed.engine.store = MemoryStore()
    status, found, told = checks(probed, file)
    assert (status, found["container_ready"], found["agent_runtime_reachable"]) == (0, (True, False), (True, False))
    assert "builds agentics-base:" in told["container_ready"]
    assert not probed.engine.store.jobs


def test_an_engine_that_does_not_isolate_is_found(probed, file):
    def probe(image, _runtime):
        msg = f"{image} sees the host"
        raise EngineError(msg)

    probed.engine.probe = probe
    status, found, told = checks(probed, file)
    assert (status, found["agent_runtime_reachable"]) == (1, (False, False))
    assert "sees the host" in told["agent_runtime_reachable"]


def test_without_an_engine_the_other_checks_are_still_made(probed, file, monkeypatch):
    def open_engine(*_):
        msg = "no engine answers"
        raise EngineMissing(msg)

    monkeypatch.setattr("agentics.usecases.preflight.open_engine", open_engine)
    status, found, _ = checks(probed, file)
    assert (status, found["container_ready"], found["agent_runtime_reachable"]) == (1, (False, False), (False, True))
    assert found["benchmark_grader_reachable"] == (True, False)


@pytest.mark.parametrize("command", [["no-such-program"], ["./adapter.sh"], ["python3", "./adapter.py"]])
def test_an_adapter_that_cannot_be_run_is_found(probed, command):
    file = write(probed.home, {**PLAIN, "benchmark": {"adapter": {"command": command}}})
    status, found, told = checks(probed, file)
    assert (status, found["benchmark_grader_reachable"]) == (1, (False, False))
    assert "/benchmark/adapter/command" in told["benchmark_grader_reachable"]
    (probed.home / "adapter.py").write_text("")
    (probed.home / "adapter.sh").write_text("")
    (probed.home / "adapter.sh").chmod(0o755)
    assert checks(probed, file)[0] == (1 if command == ["no-such-program"] else 0)


def test_little_space_is_a_warning(probed, file, monkeypatch):
    monkeypatch.setenv("AGENTICS_MIN_FREE_BYTES", str(1 << 60))
    status, found, told = checks(probed, file)
    assert (status, found["disk_headroom"]) == (0, (False, False))
    assert "AGENTICS_MIN_FREE_BYTES" in told["disk_headroom"]


def test_a_preflight_finds_that_a_stage_cannot_have_its_network(probed, file):
    targets = json.loads(json.dumps(SPEC["targets"]))
    targets[0]["resource_profile"]["solution"]["run"]["network_access"] = "enabled"
    for spec in probed.home.glob("*/spec.json"):
        spec.write_text(json.dumps({**json.loads(spec.read_text()), "targets": targets}))
    _, _, messages = checks(probed, file)
    assert messages["network"] == "cases: network"
    with (probed.home / "agentics.toml").open("a") as config:
        config.write("[network]\nallowed = false\n")
    status, found, messages = checks(probed, file)
    assert (status, found["network"]) == (1, (False, False))
    assert "agentics.toml forbids" in messages["network"]


def test_a_preflight_is_told_to_people_too(probed, file):
    said = probed("experiment", "preflight", file)
    assert said.status == 0
    assert said.out.count("✓") == 8


def test_a_file_that_breaks_its_contract_is_no_check(probed):
    said = probed("experiment", "preflight", write(probed.home, {"name": "n"}), "--json")
    assert (said.status, json.loads(said.out)["error"]["code"]) == (2, "invalid_document")
