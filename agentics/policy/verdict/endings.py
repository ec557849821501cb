"""How a container ended, in words for people: one phrase with its figures, each beside its limit."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from agentics.model.evidence.trial_evidence import ContainerRecord, Violation

MIB = 1 << 20
_BY_SIGNAL = 128
"""A shell ends with this plus the number of the signal that ended its command."""


def ending(record: ContainerRecord, violation: Violation | None = None) -> str:
    """`ran (0.20 of 3 s)`, `crashed (exit code 1 after 0.10 of 3 s)`, `timed out (limit 3 s)`, `refused: link`, …

    It says what was measured. Whether the output is right is not known here.
    """
    if violation is not None:
        return f"refused: {violation.kind.replace('_', ' ')} ({_time(record)})"
    match record.ended:
        case "exited" if record.exit_code == 0:
            return f"ran ({_time(record)})"
        case "exited":
            return f"crashed (exit code {record.exit_code}{_signal(record.exit_code)} after {_time(record)})"
        case "timed_out":
            return f"timed out (limit {record.timeout_s:g} s)"
        case "out_of_memory":
            return f"out of memory (limit {record.memory_limit_bytes // MIB} MiB, after {_time(record)})"
        case "output_limit":
            return f"wrote more output than may be carried (after {_time(record)})"
        case "disk_limit":
            return f"wrote more files than its disk limit allows (after {_time(record)})"
        case _:
            return f"was killed (after {_time(record)})"


def ending_facts(record: ContainerRecord, violation: Violation | None = None) -> Mapping[str, object]:
    """What progress tells of how a case ended."""
    return {
        "clean": record.clean and violation is None,
        "ended": record.ended,
        "exit_code": record.exit_code,
        "wall_s": record.wall_s,
        "limit_s": record.timeout_s,
        "ending": ending(record, violation),
    }


def _time(record: ContainerRecord) -> str:
    return f"{record.wall_s:.2f} of {record.timeout_s:g} s"


def _signal(exit_code: int) -> str:
    try:
        return f", {signal.Signals(exit_code - _BY_SIGNAL).name},"
    except ValueError:
        return ""
