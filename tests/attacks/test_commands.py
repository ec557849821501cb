"""Hostile files that do what they must not are noticed, and their case fails."""

from __future__ import annotations

import pytest

from agentics.attacks import commands
from agentics.attacks.catalogue import read_case
from agentics.attacks.commands import AttackCommands, run_case
from agentics.attacks.surroundings import Machine

MACHINE = Machine(engine="docker 1", runtime="runc", places="loop", root=True, network=True)


@pytest.fixture(scope="module")
def carried_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    config = folder / "agentics.toml"
    config.write_text("")
    with AttackCommands(folder, config) as found:
        yield found


@pytest.fixture
def row(carried_out, tmp_path):
    def of(body, ends):
        path = tmp_path / "case.py"
        path.write_text(f"# G58: a case\n# ends: {ends}\ndef make(root, run):\n    {body}\n")
        return run_case(read_case(path), carried_out, MACHINE, tmp_path / "root", None)

    return of


def test_a_command_that_refuses_what_it_was_given_is_as_expected(row):
    found = row('return ["plan", "nothing", "--solution", "nothing", "--json"]', "refused missing_file user")
    assert (found.status, found.found, found.why) == ("ok", "refused missing_file user", "")


def test_another_code_than_the_expected_one_fails(row):
    found = row('return ["plan", "nothing", "--solution", "nothing", "--json"]', "refused symlink user")
    assert (found.status, found.why) == ("failed", "it ended differently")


def test_a_command_that_writes_beside_its_folder_fails(row):
    found = row('return ["schema", "export", str(root.parent / "beside")]', "accepted - -")
    assert (found.status, found.found) == ("failed", "accepted - -")
    assert found.why == "something beside its own folder was changed"


def test_a_command_that_shows_what_is_beside_its_folder_fails(row):
    found = row('return ["plan", "x", "--solution", (root.parent / "beside/secret.txt").read_text()]', "broken - -")
    assert (found.status, found.why) == ("failed", "stderr shows what is beside its folder")


def test_a_command_that_takes_too_long_is_killed_and_fails(row, monkeypatch):
    monkeypatch.setattr(commands, "SECONDS", 0)
    found = row('return ["schema", "export", str(root)]', "accepted - -")
    assert found.found == "killed too_slow -"
    assert found.why == "it ended differently; it did not end within 0 s"


def test_every_command_of_a_case_is_looked_at(row):
    wrong = '["plan", "x", "--solution", (root.parent / "beside/secret.txt").read_text()]'
    found = row(f'return [{wrong}, ["plan", "x", "--solution", "x", "--json"]]', "refused missing_file user")
    assert (found.status, found.why) == ("failed", "stderr shows what is beside its folder")
