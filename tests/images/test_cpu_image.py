"""images/cpu as containers of ours meet it. It takes minutes to build where it is not there yet."""

from __future__ import annotations

import pytest

from agentics.config import Config
from agentics.runner.machine import build_folders, open_images, open_scratch
from agentics.sandbox.image_building import build_missing
from agentics.sandbox.images import definitions
from agentics.sandbox.steps import Steps
from tests.images.conftest import unanswered

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(1800)]

CPU = definitions()["cpu"]
DOCUMENTED = (
    *("bash", "dash", "coreutils", "findutils", "grep", "sed", "gawk", "tar", "gzip", "xz", "zip", "unzip"),
    *("curl", "wget", "git", "gcc", "g++", "make", "cmake", "ninja", "pkg-config", "python", "python3", "venv", "uv"),
    *("node", "npm", "npx", "rustc", "cargo", "jq", "file", "less", "time", "tini"),
)
"""What the public platform documents for its CPU image."""


@pytest.fixture(scope="module")
def image():
    with open_images(Config()) as store, open_scratch(Config()) as scratch:
        build_missing(store, ("cpu",), build_folders(scratch), Steps(log=print))
    return CPU.reference


def test_it_offers_all_that_the_public_platform_documents():
    offered = {word for kind in CPU.commands.values() for name in kind for word in name.split()}
    groups = {"coreutils": "timeout", "findutils": "find"}
    assert [word for word in DOCUMENTED if groups.get(word, word) not in offered] == []


def test_every_command_that_it_offers_says_its_version_without_a_network(hardened):
    assert unanswered(hardened, CPU) == []


def test_uv_makes_an_environment_of_the_python_that_is_there(hardened):
    script = "set -euo pipefail; cd /tmp; uv venv -q --python python3 e; e/bin/python -c 'print(6 * 7)'"
    assert hardened(script) == (0, "42\n")


def test_python_makes_a_virtual_environment_with_pip(hardened):
    assert hardened("python3 -m venv /tmp/e && /tmp/e/bin/pip --version >/dev/null") == (0, "")


@pytest.mark.parametrize("runtime", ["node", "bun"])
def test_javascript_runs(hardened, runtime):
    assert hardened(f"echo 'console.log([1, 2, 3].at(-1))' >/tmp/a.js; {runtime} /tmp/a.js") == (0, "3\n")


def test_a_crate_without_dependencies_is_built_and_run(hardened):
    script = "cd /tmp && cargo init -q --vcs none --name ours ours && cd ours && cargo run -q --offline"
    assert hardened(script) == (0, "Hello, world!\n")


def test_a_build_with_cmake_and_ninja_works(hardened):
    script = """
        set -eu
        mkdir /tmp/p; cd /tmp/p
        echo 'int main() { return 0; }' >main.cpp
        printf 'cmake_minimum_required(VERSION 3.20)\nproject(p CXX)\nadd_executable(p main.cpp)\n' >CMakeLists.txt
        cmake -G Ninja -B out >/dev/null && cmake --build out >/dev/null && out/p
    """
    assert hardened(script) == (0, "")


def test_a_script_with_pipefail_runs_in_sh_and_dash_is_still_dash(hardened):
    assert hardened("set -o pipefail; dash -c 'set -o pipefail' 2>/dev/null || echo no")[1] == "no\n"


def test_nothing_lets_a_program_become_somebody_else(hardened):
    assert hardened("find / -xdev -type f -perm /6000 2>/dev/null")[1] == ""
