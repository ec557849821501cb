"""AC4: killed right before any change that a regrade makes, nothing looks altered, and another regrade does it."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPREAD = 6
RUN = "outputs/graded"
REGRADE = ("run", "regrade", RUN, "--quiet")


def outcome(crashes):
    found = json.loads((crashes.home / RUN / "mine" / "run_outcome.json").read_bytes())
    control = json.loads((crashes.home / RUN / "runtime" / "run_control.json").read_bytes())
    return found["status"], found["errors"], control["status"]


def test_ac4_killed_at_changes_all_over_a_regrade_another_one_does_it(crashes):
    killed = crashes(fake=True)
    assert killed.eval("graded") == 0, killed.talk()
    told = killed.home / "changes.txt"
    assert killed.call(*REGRADE, told=told) == 0, killed.talk()
    count = len(told.read_text().splitlines())
    assert count > 200
    ends = []
    for number in range(1, count + 1, count // SPREAD):
        # What a busy machine is told of adds changes: the last number can lie behind the end.
        ends.append(killed.call(*REGRADE, last=number, told=told))
        where = told.read_text().splitlines()[-1]
        assert killed.call("run", "verify", RUN) == 0, (where, killed.talk())
        assert killed.call(*REGRADE) == 0, (where, killed.talk())
        assert killed.call("run", "verify", RUN) == 0, (where, killed.talk())
        assert outcome(killed) == ("passed", [], "completed"), where
        assert killed.left_behind("graded") == [], where
    assert ends.count(-9) >= SPREAD - 1, ends
    assert set(ends) <= {-9, 0}, ends
    rows = [
        json.loads(line) for line in (killed.home / RUN / "evidence/evidence_records.jsonl").read_bytes().splitlines()
    ]
    keys = [(row["ids"]["trial_id"], row["attempt"]) for row in rows]
    assert len(keys) == len(set(keys))
