"""B7, C20: killed right before any change that an evaluation makes to a file, the same command does the rest.

A spread of all changes, and those that once broke the promise.
"""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPREAD = 20
STAGING = r"\.staging-[0-9a-f]{16}'"
ONCE_BROKEN = {
    "its scratch directory was locked and not made": r"os.mkdir '.*/scratch/[0-9a-f]{16}'",
    "a trial's directory was made and had no metadata": r"os.mkdir '.*/trials/trial_1/attempts'",
    "a document of an attempt was half made": rf"os.rename '.*/attempts/1/{STAGING}",
    "the evidence on the workspace was half made": r"os.rename '.*/attempts/1/\.staging-evidence'",
    "the evidence that the trial shows was half made": r"os.rename '.*/trial_1/\.staging-evidence'",
    "the status of a task was half made": rf"os.rename '.*/mine/two\.linux-arm64-cpu/{STAGING}",
    "a case was recorded and what it left was not stored": r"open '.*/attempts/1/containers.jsonl'",
}


@pytest.fixture
def killed(crashes):
    return crashes(fake=True)


@pytest.mark.parametrize("offset", range(2))
def test_b7_c20_killed_at_changes_all_over_an_evaluation_it_goes_on(killed, offset):
    changes = killed.changes()
    assert len(changes) > 500
    step = len(changes) // SPREAD
    for number in range(1 + offset * step // 2, len(changes) + 1, step):
        killed.kill_and_go_on(number)


def test_b7_c20_killed_at_a_change_that_once_lost_something_it_goes_on(killed):
    changes = killed.changes()
    for name, pattern in ONCE_BROKEN.items():
        numbers = [number for number, change in enumerate(changes, start=1) if re.match(pattern, change)]
        assert numbers, name
        killed.kill_and_go_on(numbers[0])


def test_c20_completed_and_killed_before_its_attestation_the_run_is_concluded_by_whoever_goes_on(killed):
    changes = killed.changes()
    attested = rf"os.rename '.*/outputs/whole/{STAGING}"
    killed.kill_and_go_on(max(n for n, change in enumerate(changes, start=1) if re.match(attested, change)))
