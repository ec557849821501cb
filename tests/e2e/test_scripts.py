"""The scripts of the repository: what they refuse, and that they leave nothing behind. `make bare` shows the rest."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BARE = ROOT / "scripts" / "bare-machine"
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="a bare machine is made by root")


def call(*words, path=None, **more):
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, timeout=120, env=environment, **more
    )


@pytest.fixture
def program(tmp_path):
    """Puts a program of that name before all others; the folder to search first."""

    def write(name, script):
        place = tmp_path / "bin" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)
        return place.parent

    return write


def test_the_bare_machine_explains_itself():
    said = call(BARE, "--help")
    assert said.returncode == 0
    assert said.stdout.startswith("usage: scripts/bare-machine")


def test_an_option_that_the_bare_machine_does_not_know_is_refused_with_those_it_knows():
    said = call(BARE, "--kepe")
    assert said.returncode == 2
    assert "--keep" in said.stderr


def test_without_root_no_bare_machine_is_begun(program):
    said = call(BARE, path=program("id", "echo 1000"))
    assert (said.returncode, said.stderr.count("\n"), "needs root" in said.stderr) == (1, 1, True)


@NEEDS_ROOT
def test_a_bare_machine_that_cannot_be_made_leaves_nothing(program):
    program("slirp4netns", "exit 1")
    place = program("mmdebstrap", 'for last; do :; done; mkdir -p "$TMPDIR/half"; echo no archive >&2; exit 3')
    said = call(BARE, path=place)
    assert (said.returncode, "no archive" in said.stderr) == (3, True)
    (root,) = re.findall("making a bare Debian in (.*)/root", said.stderr)
    assert not Path(root).exists()


def test_a_part_that_set_up_does_not_know_is_refused_before_anything_is_done():
    said = call(ROOT / "scripts" / "setup", "everything")
    assert said.returncode == 1
    assert "scripts/setup [run|python]" in said.stderr
