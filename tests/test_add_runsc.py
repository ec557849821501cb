"""The script that adds gVisor to an engine's settings."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

WITH_RUNSC = runpy.run_path(str(Path(__file__).parents[1] / "scripts/add_runsc.py"))["with_runsc"]


def test_what_the_operator_set_stays():
    own = {"log-driver": "local", "runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime"}}}
    made = json.loads(WITH_RUNSC(json.dumps(own), "/usr/bin/runsc"))
    assert made.pop("runtimes") == {
        **own.pop("runtimes"),
        "runsc": {"path": "/usr/bin/runsc", "runtimeArgs": ["--platform=ptrace", "--network=none", "--oci-seccomp"]},
    }
    assert made == own


def test_a_runtime_of_that_name_stays_as_it_is():
    own = {"runtimes": {"runsc": {"path": "/opt/runsc", "runtimeArgs": ["--platform=kvm"]}}}
    assert json.loads(WITH_RUNSC(json.dumps(own), "/usr/bin/runsc")) == own


def test_where_there_are_no_settings_they_are_made():
    assert json.loads(WITH_RUNSC("", "/usr/bin/runsc"))["runtimes"].keys() == {"runsc"}


def test_settings_that_are_no_json_are_not_overwritten():
    with pytest.raises(ValueError, match="Expecting"):
        WITH_RUNSC("{runtimes", "/usr/bin/runsc")
