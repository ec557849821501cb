"""What runs containers: the operator says it, by target and role; evidence and the level of trust say what it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fake_engine import FACTS, exited
from tests.runner.lab import evaluator


@pytest.fixture
def configured(lab, monkeypatch):
    """Write agentics.toml, over the scratch directory of the lab."""

    def write(text: str):
        lab.engine.known_facts = replace(FACTS, runtimes=("runc", "runsc"))
        path = lab.home / "own.toml"
        path.write_text(f'[sandbox]\nscratch = "{lab.home.parent / "scratch"}"\n{text}\n')
        monkeypatch.setenv("AGENTICS_CONFIG", str(path))
        lab.bundle("one", cases=2)

    return write


def test_a_runtime_that_the_engine_does_not_have_ends_the_run_before_anything_is_started(lab, configured):
    configured('runtime = "kata"')
    said = lab.eval("one")
    assert said.status == 5
    assert "runtime_missing" in said.err
    assert "[sandbox]" in said.err  # a hint is text, and no markup
    assert "kata" in said.err
    assert lab.engine.containers == []


def test_a_rule_gives_the_containers_of_one_role_another_runtime(lab, configured):
    configured('runtime = "runc"\n[[sandbox.runtimes]]\ntarget = "linux-*"\nrole = "run"\nruntime = "runsc"')
    assert lab.eval("one").status == 0
    assert {(one.role, one.runtime) for one in lab.engine.containers} == {
        ("run", "runsc"),
        ("separated-evaluator", "runc"),
    }


def test_a_rule_for_another_target_changes_nothing(lab, configured):
    configured('[[sandbox.runtimes]]\ntarget = "windows-*"\nruntime = "kata"')
    assert lab.eval("one").status == 0
    assert {one.runtime for one in lab.engine.containers} == {None}


@pytest.mark.parametrize(
    ("kernels", "trust"),
    [(("own", "own"), "own_kernel"), (("own", "shared"), "isolated"), ((None, None), "isolated")],
)
def test_only_where_no_participant_code_ran_on_the_engines_kernel_the_trust_is_own_kernel(
    lab, configured, kernels, trust
):
    configured("")
    left = list(kernels)
    lab.engine.behaviours |= {"run": lambda _: exited(kernel=left.pop(0), runtime="runsc", user="70001:70001")}
    lab.engine.behaviours["separated-evaluator"] = evaluator()
    lab.eval("one")
    found = lab.read("r/trials/trial_1/evidence.json")
    assert found["trust"] == trust
    assert [case["container"]["runtime"] for case in found["cases"]] == ["runsc", "runsc"]
    assert {case["container"]["user"] for case in found["cases"]} == {"70001:70001"}
    assert next(iter(lab.outcome()["tasks"].values()))["trust"] == trust


@pytest.mark.parametrize(
    ("uids", "why"), [("70000-70001", "16 numbers"), ("1000-2000", "between"), ("x", "two numbers")]
)
def test_users_that_are_too_few_or_somebody_elses_are_refused(lab, configured, uids, why):
    configured(f'uids = "{uids}"')
    said = lab.eval("one")
    assert said.status == 2
    assert why in said.err


def test_a_container_of_a_case_has_a_user_that_its_attempt_has_not(lab, configured, monkeypatch):
    configured('uids = "70100-70199"')
    # The file system calls that need root are all that root is needed for here.
    monkeypatch.setattr("agentics.runner.machine.user_mode", lambda _: "own")
    monkeypatch.setattr("agentics.runner.run_resources.user_mode", lambda _: "own")
    held: list[set[str]] = []

    def look(_):
        held.append({path.name for path in (lab.home.parent / "scratch").glob("uid-*.lock")})
        return exited()

    lab.engine.behaviours["run"] = look
    lab.eval("one")
    users = {one.role: {c.user for c in lab.engine.containers if c.role == one.role} for one in lab.engine.containers}
    assert users["separated-evaluator"] == {"10002:10002"}
    assert all(70100 <= int(user.split(":")[0]) <= 70199 for user in users["run"])
    assert all(len(locks) >= 2 for locks in held)  # the attempt's, and one of each case in flight
    assert not list((lab.home.parent / "scratch").glob("uid-*.lock"))
