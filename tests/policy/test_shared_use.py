"""The report of a shared container's supervisor is read to the last whole line, whatever else stands in it."""

from __future__ import annotations

import base64
import json

from agentics.model.evidence.trial_evidence import SharedUse, UsedUp
from agentics.policy.verdict.shared_use import MOST_KINDS, read_report


def report(*lines):
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def logged(text):
    return {"log": base64.b64encode(text).decode()}


USED = {"resource": "tmp_bytes", "used": 9, "limit": 10}
COUNTED = {"runs": 2, "refused": 0, "log_bytes": 6, "left_behind": False, "evaluator": {"exit_code": 0}}


def test_counts_replace_each_other_and_logs_and_resources_add_up():
    found, log = read_report(report({"runs": 1}, logged(b"one"), {"used_up": USED}, logged(b"two"), COUNTED))
    assert log == b"onetwo"
    assert found == SharedUse(runs=2, left_behind=False, used_up=(UsedUp(**USED),), log_bytes=6)


def test_a_container_that_was_killed_has_reported_what_it_could():
    found, log = read_report(report({"runs": 1}, logged(b"one")) + b'{"runs": 2')
    assert (found, log) == (SharedUse(runs=1, log_bytes=3), b"one")
    assert read_report(b"") == (SharedUse(), b"")


def test_a_kernel_that_keeps_no_users_apart_stays_said():
    found, _ = read_report(report({"users_apart": False}, COUNTED))
    assert found.users_apart is False
    assert read_report(report(COUNTED))[0].users_apart is True


def test_a_log_that_was_cut_says_so():
    found, log = read_report(report(logged(b"one"), {**COUNTED, "log_bytes": 1 << 30}))
    assert (log, found.log_bytes, found.log_truncated) == (b"one", 1 << 30, True)


def test_lines_that_are_no_report_are_left_out():
    hostile = [b"sh: 1: python3: not found", b"[]", b"{" * 100_000, {"runs": -1}, {"runs": 1e400}, {"runs": "1"}]
    hostile += [{"log": "!"}, {"used_up": {**USED, "resource": "\x1b[2J"}}, {"forged": True}, b"\xff\x00"]
    assert read_report(report(*hostile)) == (SharedUse(), b"")


def test_the_kinds_of_resources_are_bounded():
    many = [{"used_up": {**USED, "resource": "a" * number}} for number in range(1, 31)]
    assert len(read_report(report(*many))[0].used_up) == MOST_KINDS
