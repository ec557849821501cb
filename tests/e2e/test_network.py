"""A setup that needs the network, on a real engine: behind a proxy with a password, and a certificate nobody knows."""

from __future__ import annotations

import json

import pytest

from agentics.sandbox.docker.engine import connect
from agentics.sandbox.engine import Container, Limits
from tests.e2e.conftest import PATIENT
from tests.e2e.web import served

pytestmark = pytest.mark.docker

GET = """
import os, sys, urllib.request
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print(dict(os.environ))
with open(words["--runs-file"], "wb") as file:
    file.write(urllib.request.urlopen("{url}/runs.json", timeout=10).read())
"""
RUNS = {"runs": [{"run_name": "case-1", "interface": "stdio", "stdin_text": "0\n", "stdin_json": None}]}
RUNS["runs"][0] |= {"input_files": None, "output_files": None, "metadata": None}


@pytest.fixture(scope="module")
def this_machine(tmp_path_factory):
    """The address under which a container on the engine's bridge reaches this machine: its way out."""
    script = "for line in open('/proc/net/route').readlines()[1:]:\n    print(*line.split()[1:3])"
    limits = Limits(timeout_s=20, memory_bytes=128 << 20, cpu_millis=1000, disk_bytes=1 << 20)
    with connect(scratch=tmp_path_factory.mktemp("scratch")) as engine:
        asking = Container(
            role="run",
            image=engine.image("agentics-cpu:latest", None).id,
            argv=("python3", "-c", script),
            cwd="/",
            user="65532:65532",
            limits=limits,
            network=True,
        )
        said = engine.start(asking).wait().log.decode().split("\n")
    (way_out,) = [line.split()[1] for line in said if line.startswith("00000000 ")]
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(way_out)))


@pytest.fixture
def world(desk, this_machine):
    """A challenge whose setup gets its cases from a server here; `eval` with these lines of [network]."""
    targets = json.loads(json.dumps(PATIENT))
    targets[0]["resource_profile"]["evaluator"]["setup"]["network_access"] = "enabled"
    root = desk.bundle("one", targets=targets)
    spec = json.loads((root / "spec.json").read_text())
    command = ["python3", "separated-evaluator/get.py"]
    setup = {"command": command, "reproducibility_notes": None, "result_runs_file": "runs.json"}
    spec["execution"] |= {"validation_runs": None, "validation_setup": setup}
    (root / "spec.json").write_text(json.dumps(spec))
    settings = (desk.home / "agentics.toml").read_text()
    with served(this_machine, desk.home, json.dumps(RUNS).encode()) as web:
        (root / "separated-evaluator" / "get.py").write_text(GET.format(url=web.url))

        def evaluated(*lines: str):
            text = "\n".join((settings, "[retry]", "attempts = 1", "[network]", *lines))
            (desk.home / "agentics.toml").write_text(text)
            process = desk.start("one", "--exit-policy", "strict", "--quiet", "--no-resume")
            out, err = process.communicate(timeout=120)
            assert web.password not in out + err
            return process.returncode, desk.outcome()["tasks"]["one.linux-arm64-cpu"]

        yield web, evaluated


def why(desk):
    return json.loads((desk.home / "outputs" / desk.run_id / "trials/trial_1/result.json").read_bytes())["error"][
        "message"
    ]


CA = 'ca_bundle = "server.pem"'


def test_a_setup_gets_its_data_over_a_proxy_with_a_password_and_a_certificate_of_the_operators(desk, world):
    web, evaluated = world
    status, task = evaluated(CA, f'environment.HTTPS_PROXY = "{web.proxy}"')
    assert (status, task["status"]) == (0, "passed"), task
    assert web.tunnels == [web.url.removeprefix("https://")]
    written = [path for path in (desk.home / "outputs").rglob("*") if path.is_file()]
    assert [path for path in written if web.password.encode() in path.read_bytes()] == []
    assert any(b"HTTPS_PROXY" in path.read_bytes() for path in written if path.name == "harness_stdout.log")


def test_a_certificate_that_a_container_does_not_trust_is_the_infrastructures_and_the_host_is_named(desk, world):
    web, evaluated = world
    status, task = evaluated("allowed = true")
    assert (status, task["reason"], task["fault"]) == (5, "network_unreachable", "infrastructure")
    assert f"{web.url.removeprefix('https://')}: its certificate is not trusted" in why(desk)


def test_a_proxy_that_does_not_let_us_through_is_named_too_and_a_host_that_answers_is_the_challenges(desk, world):
    web, evaluated = world
    wrong = web.proxy.replace(web.password, "another-word")
    status, task = evaluated(CA, f'environment.HTTPS_PROXY = "{wrong}"')
    assert (status, task["reason"]) == (5, "network_unreachable")
    assert "answered 407" in why(desk)
    assert web.refused >= 2
    web.body = b"no manifest"  # now the network works, and what it brings does not
    status, task = evaluated(CA)
    assert (status, task["reason"], task["fault"]) == (4, "manifest_invalid", "challenge")
