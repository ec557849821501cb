"""AC6, C20: an operation on a finished run that is killed right before any change leaves no altered run behind."""

from __future__ import annotations

import shutil

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPREAD = 12
OPERATIONS = {
    "eval": ("eval", "one", "two", "--solution", "mine", "--no-resume", "--run-id"),
    "fewer": ("eval", "one", "--solution", "mine", "--no-resume", "--run-id"),
    "fork": ("run", "fork", "--from-trial", "trial_1", "--set", "x=1"),
    "replay": ("run", "replay", "--trial-id", "trial_1"),
    "regrade": ("run", "regrade"),
}


@pytest.fixture
def killed(crashes):
    made = crashes(fake=True)
    assert made.eval("whole") == 0, made.talk()
    return made


def words(operation, run_id):
    place = run_id if OPERATIONS[operation][0] == "eval" else f"outputs/{run_id}"
    return (*OPERATIONS[operation], place, "--quiet")


def copied(killed, run_id):
    """Another run of the same name of its own would have another id; the directory is what is worked on."""
    place = killed.home / "outputs" / run_id
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(killed.home / "kept", place)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_ac6_c20_killed_at_changes_all_over_an_operation_the_run_is_not_altered_and_the_operation_can_be_done(
    killed, operation
):
    (killed.home / "outputs" / "whole").rename(killed.home / "kept")
    told = killed.home / "told.txt"
    copied(killed, "whole")
    assert killed.call(*words(operation, "whole"), told=told) == 0, killed.talk()
    count = len(told.read_text().splitlines())
    assert count > 20
    for number in range(1, count + 1, max(1, count // SPREAD)):
        copied(killed, "whole")
        status = killed.call(*words(operation, "whole"), last=number, told=told)
        where = told.read_text().splitlines()[-1]
        assert status in (-9, 0), (where, killed.talk())  # which of two threads changes first is not the same each time
        assert killed.call("run", "verify", "outputs/whole") == 0, (where, killed.talk())
        assert killed.call(*words(operation, "whole")) == 0, (where, killed.talk())
        assert killed.call("run", "verify", "outputs/whole") == 0, (where, killed.talk())
