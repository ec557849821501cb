"""[network] in agentics.toml: which containers get it, what is written of it, and what is told beforehand."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager

import pytest

from agentics.config import Config, NetworkGrant
from agentics.errors import EngineMissing
from agentics.model_worker.launch import ContainerLauncher
from agentics.model_worker.pool import WorkerNeeds
from agentics.sandbox.network import open_network
from agentics.sandbox.places import Scratch
from tests.fake_engine import FakeEngine, mounted
from tests.runner.networklab import (
    CERTIFICATE,
    OPEN,
    PASSWORD,
    PROBE,
    SETTINGS,
    TOKEN,
    details,
    probe_that_says,
    records,
    setup_that,
    started,
)

# --- Who gets it ------------------------------------------------------------------------------------------------------


def test_only_a_stage_that_declares_network_gets_the_operators_variables_and_certificates(desk):
    lab = desk()
    assert lab.eval("one", "--exit-policy", "strict").status == 0
    (setup,) = started(lab, "challenge-setup")
    proxy = f"http://user:{PASSWORD}@proxy.example:3128"
    assert (setup.env["HTTPS_PROXY"], setup.env["https_proxy"], setup.env["UV_LINK_MODE"]) == (proxy, proxy, "copy")
    assert setup.network
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"):
        assert setup.env[name] == "/agentics-network/ca-bundle.pem"
    assert not next(mount for mount in setup.mounts if mount.target == "/agentics-network").writable
    others = [container for container in lab.engine.containers if container.role != "challenge-setup"]
    assert {container.role for container in others} == {"run", "separated-evaluator"}
    for container in others:
        assert not container.network
        assert not set(container.env) & {"HTTPS_PROXY", "https_proxy", "UV_LINK_MODE", "SSL_CERT_FILE", "WGETRC"}
        assert "/agentics-network" not in {mount.target for mount in container.mounts}


def test_the_certificates_are_there_while_the_stage_runs(desk):
    lab, seen = desk(), {}

    def behave(container):
        for name in ("ca-bundle.pem", "wgetrc"):
            seen[name] = mounted(container, f"/agentics-network/{name}").read_text()
        return setup_that()(container)

    lab.engine.behaviours["challenge-setup"] = behave
    lab.eval("one")
    assert seen == {"ca-bundle.pem": CERTIFICATE, "wgetrc": "ca_certificate = /agentics-network/ca-bundle.pem\n"}


def test_what_the_operator_says_of_certificates_wins_over_what_we_would(desk):
    lab = desk(SETTINGS + 'PIP_CERT = "/etc/ssl/own.pem"\n')
    lab.eval("one")
    (setup,) = started(lab, "challenge-setup")
    assert (setup.env["PIP_CERT"], setup.env["SSL_CERT_FILE"]) == (
        "/etc/ssl/own.pem",
        "/agentics-network/ca-bundle.pem",
    )


def test_what_a_bundles_contract_sets_cannot_be_set_by_the_operator(desk):
    lab = desk('[network.environment]\nAGENTICS_MODE = "official"\n')
    said = lab.eval("one", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "invalid_config")
    assert "AGENTICS_MODE is set by the bundle contract" in said.json["error"]["message"]
    assert "does not set" in said.json["error"]["hint"]
    assert lab.engine.containers == []


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "holds no certificate"), ("no PEM", "holds no certificate"), (None, "No such file"), ("key", "private key")],
)
def test_a_ca_bundle_that_is_none_is_found_before_anything_starts(desk, text, why):
    lab = desk()
    if text is None:
        (lab.home / "ca.pem").unlink()
    else:
        key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
        (lab.home / "ca.pem").write_text(CERTIFICATE + key if text == "key" else text)
    said = lab.eval("one", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "invalid_config")
    assert why in said.json["error"]["message"]
    assert lab.engine.containers == []


def test_a_ca_bundle_that_no_stage_needs_is_not_even_read(desk):
    lab = desk(stages=())
    (lab.home / "ca.pem").unlink()
    assert lab.eval("one", "--exit-policy", "strict").status == 0


@pytest.mark.parametrize("network", [True, False])
def test_a_models_worker_gets_it_too_if_its_backend_is_a_server(tmp_path, network):
    engine = FakeEngine()
    with Scratch(tmp_path / "scratch", "directory") as scratch:
        config = Config(network=NetworkGrant(environment={"HTTPS_PROXY": "http://proxy.example:1", "HOME_PAGE": "x"}))
        given = open_network(config, scratch)
        hosts = ContainerLauncher(
            engine=engine, scratch=scratch, image=lambda: "i", uid=os.geteuid(), labels={"a": "b"}, network=given
        )
        hosts.start(WorkerNeeds(network=network, secrets=(), mounts=(), preload=False)).close()
    (worker,) = engine.containers
    assert (worker.network, worker.env["HOME"]) == (network, "/tmp")
    assert ("HTTPS_PROXY" in worker.env, "https_proxy" in worker.env) == (network, network)


# --- What is written --------------------------------------------------------------------------------------------------


def test_evidence_names_what_a_container_was_given_and_holds_no_value(desk):
    lab = desk()
    lab.eval("one")
    found = records(lab)
    network = found["challenge-setup"]["network"]
    assert {"HTTPS_PROXY", "https_proxy", "UV_PUBLISH_TOKEN", "UV_LINK_MODE", "SSL_CERT_FILE"} <= set(network["names"])
    assert network["digest"].startswith("sha256:")
    assert network["ca_digest"].startswith("sha256:")
    assert found["separated-evaluator"]["network"] is None
    written = {path: data for path, data in lab.files().items() if path.startswith("outputs/")}
    for value in (PASSWORD, TOKEN, "proxy.example"):
        assert [path for path, data in written.items() if value.encode() in data] == []


def test_a_stage_that_prints_its_environment_and_its_requests_leaves_no_password_anywhere(desk):
    lab = desk()

    def behave(container):
        log = "\n".join(f"{name}={value}" for name, value in container.env.items()).encode()
        return setup_that(log, 1)(container)

    lab.engine.behaviours["challenge-setup"] = behave
    lab.engine.behaviours[PROBE] = probe_that_says(proxy_example=True)
    said = lab.eval("one", "-v")
    everything = {path: data for path, data in lab.files().items() if path.startswith("outputs/")}
    log = lab.home / "outputs" / "r" / "trials" / "trial_1" / "harness_stdout.log"
    assert b"UV_LINK_MODE=copy" in log.read_bytes()
    for secret in (PASSWORD, TOKEN):
        assert [path for path, data in everything.items() if secret.encode() in data] == []
        assert secret not in said.out + said.err


def test_another_mirror_is_no_other_run_and_evidence_shows_the_difference(desk):
    lab = desk()
    lab.engine.behaviours["challenge-setup"] = setup_that(b"no space left", 1)
    lab.engine.behaviours[PROBE] = probe_that_says(proxy_example=True)
    lab.eval("one")
    first = records(lab)["challenge-setup"]["network"]
    text = (lab.home / "agentics.toml").read_text()
    (lab.home / "agentics.toml").write_text(text + 'UV_INDEX_URL = "https://mirror.example/simple"\n')
    lab.engine.behaviours["challenge-setup"] = setup_that()
    lab.engine.behaviours[PROBE] = probe_that_says(proxy_example=True, mirror_example=True)
    assert lab.eval("one", "--exit-policy", "strict").status == 0
    second = records(lab)["challenge-setup"]["network"]
    assert first["digest"] != second["digest"]
    assert set(second["names"]) - set(first["names"]) == {"UV_INDEX_URL"}


# --- Forbidden --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["evaluator.setup", "evaluator.run", "solution.setup", "solution.run"])
def test_where_network_is_forbidden_a_plan_that_needs_it_is_not_begun_and_nobody_is_blamed(desk, stage):
    lab = desk("[network]\nallowed = false\n", stages=(stage,))
    manifest = json.loads((lab.home / "mine" / "agentics.solution.json").read_text())
    manifest["commands"]["setup"] = "setup.sh"
    (lab.home / "mine" / "agentics.solution.json").write_text(json.dumps(manifest))
    (lab.home / "mine" / "setup.sh").write_text("true\n")
    said = lab.eval("one", "--exit-policy", "strict", "--json")
    assert said.status == 5
    task = said.json["outcomes"]["mine"]["tasks"]["one.linux-arm64-cpu"]
    assert (task["status"], task["reason"], task["fault"]) == ("error", "network_forbidden", "infrastructure")
    assert (task["attempts"], task["primary_metric"]) == (1, None)
    assert lab.engine.containers == []
    assert "agentics.toml forbids" in details(lab)


def test_a_plan_that_needs_no_network_runs_where_it_is_forbidden(desk):
    lab = desk("[network]\nallowed = false\n", stages=())
    assert lab.eval("one", "--exit-policy", "strict").status == 0


def test_a_stage_that_the_solution_does_not_have_needs_no_network(desk):
    lab = desk("[network]\nallowed = false\n", stages=("solution.setup", "solution.build"))
    assert lab.eval("one", "--exit-policy", "strict").status == 0


def test_no_relaxation_opens_a_network_that_is_forbidden(desk):
    relax = '[[sandbox.relax]]\nimage = "*"\nallow = ["network", "writable_root"]\n'
    lab = desk(relax + "[network]\nallowed = false\n", stages=())
    lab.eval("one")
    assert {container.relaxed for container in lab.engine.containers} == {frozenset({"writable_root"})}


def test_a_relaxed_image_gets_network_and_none_of_the_operators_variables(desk):
    lab = desk(SETTINGS + '[[sandbox.relax]]\nimage = "*"\nallow = ["network"]\n', stages=())
    lab.eval("one")
    assert all("network" in container.relaxed for container in lab.engine.containers)
    assert not any("HTTPS_PROXY" in container.env for container in lab.engine.containers)


# --- What is told beforehand ------------------------------------------------------------------------------------------


def test_plan_says_which_stages_get_network_here_beside_the_plan_that_is_the_same_everywhere(desk):
    lab = desk()
    said = lab("plan", "one", "--solution", "mine")
    assert said.json["schema_version"] == "plan_v1"
    told = " ".join(said.err.split())
    assert "challenge_setup: network, with HTTPS_PROXY, UV_LINK_MODE, UV_PUBLISH_TOKEN, a CA bundle" in told
    assert PASSWORD not in said.out + said.err


FORBIDDEN_HERE = "challenge_setup: no network (agentics.toml: [network] allowed = false)"


@pytest.mark.parametrize(
    ("settings", "stages", "told"),
    [
        (
            "[network]\nallowed = false\n",
            ("evaluator.setup",),
            FORBIDDEN_HERE,
        ),
        (OPEN, ("evaluator.setup", "solution.run"), "challenge_setup, cases: network"),
        (OPEN, (), ""),
    ],
)
def test_plan_says_so_of_every_way(desk, settings, stages, told):
    said = " ".join(desk(settings, stages)("plan", "one", "--solution", "mine").err.split())
    assert said == (f"linux-arm64-cpu: {told}" if told else "")


def test_a_fork_hides_the_same_secrets_as_the_run_that_it_comes_from(desk):
    lab = desk()
    lab.engine.behaviours["challenge-setup"] = lambda c: setup_that(c.env["HTTPS_PROXY"].encode())(c)
    lab.eval("one")
    assert lab("run", "replay", "outputs/r", "--trial-id", "trial_1", "--fresh-setup").status == 0
    assert len(started(lab, "challenge-setup")) == 2
    assert [path for path, data in lab.files().items() if PASSWORD.encode() in data] == ["agentics.toml"]


@pytest.fixture
def examined(desk, monkeypatch):
    """What `agentics doctor` says on a machine without an engine, by name."""

    @contextmanager
    def no_engine(*_):
        raise EngineMissing("no container engine answers")
        yield

    monkeypatch.setattr("agentics.usecases.doctor.open_engine", no_engine)

    def examine(settings, ca=CERTIFICATE):
        lab = desk(settings)
        (lab.home / "ca.pem").write_text(ca)
        said = lab("doctor", "--json")
        assert PASSWORD not in said.out + said.err
        return {check["name"]: (check["ok"], check["severity"], check["detail"]) for check in said.json["checks"]}

    return examine


def test_doctor_says_what_stages_get_and_reads_the_ca_bundle(examined):
    found = examined(SETTINGS)
    names = "HTTPS_PROXY, UV_LINK_MODE, UV_PUBLISH_TOKEN, a CA bundle"
    assert found["network"] == (True, "warning", f"a stage that declares it gets network, with {names}")
    ok, _, detail = found["CA bundle"]
    assert (ok, detail.startswith("1 certificates in ")) == (True, True)


def test_doctor_warns_of_a_ca_bundle_that_is_none_and_of_a_proxy_that_no_container_reaches(examined):
    found = examined(SETTINGS.replace("proxy.example", "127.0.0.1"), ca="nothing")
    ok, severity, detail = found["CA bundle"]
    assert (ok, severity) == (False, "warning")
    assert "holds no certificate" in detail
    ok, severity, detail = found["proxy"]
    assert (ok, severity) == (False, "warning")
    assert "HTTPS_PROXY" in detail


def test_doctor_says_that_network_is_forbidden(examined):
    found = examined("[network]\nallowed = false\n")
    assert "no network" in found["network"][2]
    assert "CA bundle" not in found
