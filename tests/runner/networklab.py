"""A challenge whose stages declare network, on a machine whose operator has something to say about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fake_engine import exited, writes
from tests.runner.lab import SPEC

PASSWORD = "hunter2-Zq8xW1"
TOKEN = "pypi-AgEIcHlwaS5vcmc1"
SETTINGS = f"""
[network]
ca_bundle = "ca.pem"
[network.environment]
HTTPS_PROXY = "http://user:{PASSWORD}@proxy.example:3128"
UV_PUBLISH_TOKEN = "{TOKEN}"
UV_LINK_MODE = "copy"
"""
CERTIFICATE = Path(__file__).with_name("certificate.pem").read_text(encoding="ascii")
RUNS = json.dumps(
    {
        "runs": [
            {"run_name": "case-1", "interface": "stdio", "stdin_text": "1\n", "stdin_json": None}
            | {"input_files": None, "output_files": None, "metadata": None}
        ]
    }
)
PROBE = "network-probe"
OPEN = "[network]\nallowed = true\n"


def setup_that(log: bytes = b"", code: int = 0, **facts):
    """A challenge's setup that prints this and ends so; it leaves its manifest first."""
    return writes({"/setup/runs.json": RUNS}, exited(code, log=log, log_bytes_seen=len(log), **facts))


def probe_that_says(**hosts: bool):
    """Our own container, which can reach these hosts or cannot; host names with `_` for `.`."""

    def behave(container):
        lines = []
        for target in container.argv[4:]:
            reached = hosts[target.partition("://")[2].partition(":")[0].replace(".", "_")]
            lines.append(f"reached {target}" if reached else f"unreached {target} its name cannot be resolved (-3)")
        return exited(log="\n".join(lines).encode())

    return behave


@pytest.fixture
def desk(lab):
    """A challenge whose setup declares network, on a machine whose operator gives it something."""

    def prepared(settings: str = SETTINGS, stages: tuple[str, ...] = ("evaluator.setup",), script: str = ""):
        targets = json.loads(json.dumps(SPEC["targets"]))
        for stage in stages:
            side, _, phase = stage.partition(".")
            targets[0]["resource_profile"][side][phase]["network_access"] = "enabled"
        setup = {
            "command": ["python3", "separated-evaluator/get.py"],
            "reproducibility_notes": None,
            "result_runs_file": "runs.json",
        }
        runs = {"validation_runs": None, "validation_setup": setup}
        official = {"official_runs": "public/runs.json", "official_evaluation_setup": None}
        root = lab.bundle(targets=targets, execution={**SPEC["execution"], **runs, **official})
        (root / "separated-evaluator" / "get.py").write_text(script, encoding="utf-8")
        (lab.home / "ca.pem").write_text(CERTIFICATE, encoding="ascii")
        with (lab.home / "agentics.toml").open("a", encoding="utf-8") as file:
            file.write(settings)
        lab.engine.behaviours["challenge-setup"] = setup_that()
        return lab

    return prepared


def started(lab, role):
    return [container for container in lab.engine.containers if container.role == role]


def records(lab, run_id="r"):
    return {record["role"]: record for record in lab.read(f"{run_id}/trials/trial_1/evidence.json")["containers"]}


def details(lab, run_id="r"):
    return lab.read(f"{run_id}/trials/trial_1/result.json")["error"]["message"]
