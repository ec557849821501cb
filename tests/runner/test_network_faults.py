"""Whose fault a network is that does not work: the challenge's, the participant's, or nobody's of the two."""

from __future__ import annotations

import json

import pytest

from tests.fake_engine import exited, timed_out
from tests.runner.networklab import (
    OPEN,
    PROBE,
    SETTINGS,
    details,
    probe_that_says,
    setup_that,
    started,
)

# --- Whose fault ------------------------------------------------------------------------------------------------------

UNRESOLVED = b"+ curl -O https://data.example/set.csv\ncurl: (6) Could not resolve host: data.example\n"


def blamed(lab):
    task = lab.outcome()["tasks"]["one.linux-arm64-cpu"]
    return task["status"], task["reason"], task["fault"], task["attempts"]


@pytest.mark.parametrize("ended", [exited(6), timed_out()])
def test_a_setup_whose_host_cannot_be_reached_is_the_infrastructures_fault_and_names_the_host(desk, ended):
    lab = desk(OPEN)
    lab.engine.behaviours["challenge-setup"] = setup_that(UNRESOLVED, ended.exit_code, ended=ended.ended)
    lab.engine.behaviours[PROBE] = probe_that_says(data_example=False)
    assert lab.eval("one", "--exit-policy", "strict").status == 5
    assert blamed(lab) == ("error", "network_unreachable", "infrastructure", 3)
    assert "data.example: its name cannot be resolved" in details(lab)
    checks = lab.read("r/trials/trial_1/evidence.json")["host_checks"]
    assert [(check["host"], check["reached"]) for check in checks] == [("data.example", False)]


def test_a_network_that_comes_back_gives_the_trial_its_result(desk):
    lab, tries = desk(OPEN), []

    def behave(container):
        tries.append(container)
        return setup_that(UNRESOLVED, 6)(container) if len(tries) == 1 else setup_that()(container)

    lab.engine.behaviours["challenge-setup"] = behave
    lab.engine.behaviours[PROBE] = probe_that_says(data_example=False)
    assert lab.eval("one", "--exit-policy", "strict").status == 0
    assert lab.tasks() == [("passed", None, 2)]


def test_the_host_is_tried_from_a_container_like_the_stages_own_and_with_none_of_its_places(desk):
    lab = desk()
    lab.engine.behaviours["challenge-setup"] = setup_that(UNRESOLVED, 6)
    lab.engine.behaviours[PROBE] = probe_that_says(data_example=True, proxy_example=True)
    lab.eval("one")
    (setup,), (probe,) = started(lab, "challenge-setup"), started(lab, PROBE)
    assert (probe.image, probe.user, probe.network, probe.env) == (setup.image, setup.user, True, setup.env)
    assert {mount.target for mount in probe.mounts} == {"/agentics", "/agentics-network"}
    assert not any(mount.writable for mount in probe.mounts)
    assert probe.argv[4:] == ("dns://data.example", "tcp://proxy.example:3128")


def test_a_setup_that_fails_although_its_hosts_can_be_reached_is_the_challenges_fault(desk):
    lab = desk(OPEN)
    lab.engine.behaviours["challenge-setup"] = setup_that(UNRESOLVED, 6)
    lab.engine.behaviours[PROBE] = probe_that_says(data_example=True)
    assert lab.eval("one", "--exit-policy", "strict").status == 4
    assert blamed(lab) == ("error", "challenge_setup_failed", "challenge", 1)
    assert details(lab) == "crashed with exit code 6; data.example can be reached"


@pytest.mark.parametrize(
    ("log", "facts"),
    [
        (b"KeyError: 'x'\n", {}),
        (UNRESOLVED, {"ended": "out_of_memory"}),
        (UNRESOLVED, {"ended": "disk_limit"}),
    ],
)
def test_a_setup_that_fails_for_reasons_of_its_own_is_not_looked_into(desk, log, facts):
    lab = desk(OPEN)
    lab.engine.behaviours["challenge-setup"] = setup_that(log, 1, **facts)
    lab.eval("one")
    assert blamed(lab) == ("error", "challenge_setup_failed", "challenge", 1)
    assert started(lab, PROBE) == []


def test_a_setup_that_declared_no_network_has_none_to_lose(desk):
    lab = desk(OPEN, stages=())
    lab.engine.behaviours["challenge-setup"] = setup_that(UNRESOLVED, 6)
    lab.eval("one")
    assert blamed(lab) == ("error", "challenge_setup_failed", "challenge", 1)
    assert started(lab, PROBE) == []


def test_where_the_image_has_nothing_to_try_a_host_with_it_stays_the_challenges_fault_and_says_so(desk):
    lab = desk(OPEN)
    lab.engine.behaviours["challenge-setup"] = setup_that(UNRESOLVED, 6)
    lab.engine.behaviours[PROBE] = lambda _: exited(127, log=b"sh: not found\n")
    lab.eval("one")
    assert blamed(lab) == ("error", "challenge_setup_failed", "challenge", 1)
    assert "neither python3 nor curl to try whether data.example can be reached" in details(lab)


def test_a_message_without_a_host_leads_to_the_addresses_in_the_setups_own_script(desk):
    lab = desk(OPEN, script='urlopen("https://data.example/set.csv")\n')
    sign = b"urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>\n"
    lab.engine.behaviours["challenge-setup"] = setup_that(sign, 1)
    lab.engine.behaviours[PROBE] = probe_that_says(data_example=False)
    lab.eval("one")
    assert blamed(lab)[:3] == ("error", "network_unreachable", "infrastructure")
    assert "data.example:443" in details(lab)


def test_an_evaluator_whose_network_is_gone_is_not_the_challenges_fault_either(desk):
    lab = desk(OPEN, stages=("evaluator.run",))
    lab.engine.behaviours["separated-evaluator"] = lambda _: exited(1, log=UNRESOLVED, log_bytes_seen=9)
    lab.engine.behaviours[PROBE] = probe_that_says(data_example=False)
    lab.eval("one")
    assert blamed(lab) == ("error", "network_unreachable", "infrastructure", 3)


@pytest.fixture
def participant(desk):
    """A solution whose setup has network."""

    def prepared(settings: str, log: bytes):
        lab = desk(settings, stages=("solution.setup",))
        manifest = json.loads((lab.home / "mine" / "agentics.solution.json").read_text())
        manifest["commands"]["setup"] = "setup.sh"
        (lab.home / "mine" / "agentics.solution.json").write_text(json.dumps(manifest))
        (lab.home / "mine" / "setup.sh").write_text("curl\n")
        lab.engine.behaviours["setup"] = lambda _: exited(6, log=log, log_bytes_seen=len(log))
        return lab

    return prepared


def test_what_a_participant_prints_is_never_believed(participant):
    lab = participant(OPEN, UNRESOLVED)
    lab.eval("one")
    assert blamed(lab) == ("failed", "solution_setup_failed", "participant", 1)
    assert started(lab, PROBE) == []


def test_a_participant_is_not_blamed_for_a_proxy_of_the_operators_that_does_not_answer(participant):
    lab = participant(SETTINGS, UNRESOLVED)
    lab.engine.behaviours[PROBE] = probe_that_says(proxy_example=False)
    lab.eval("one")
    assert blamed(lab) == ("error", "network_unreachable", "infrastructure", 3)
    assert "proxy.example:3128" in details(lab)


def test_a_participant_is_blamed_where_the_operators_proxy_answers(participant):
    lab = participant(SETTINGS, UNRESOLVED)
    lab.engine.behaviours[PROBE] = probe_that_says(proxy_example=True)
    lab.eval("one")
    assert blamed(lab) == ("failed", "solution_setup_failed", "participant", 1)
