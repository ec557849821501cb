"""What the supervisor reports to the host: lines of JSON on a stream that nobody else has.

Lines are `{"runs": 1}`, `{"log": "<base64>"}`, `{"used_up": {...}}`, and last what was counted. A container that is
killed has reported what it could until then.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from dataclasses import dataclass

DESCRIPTOR = 3
LOG_BYTES = 1 << 20  # that are kept of what commands write to the evaluator's own streams
FLOOD_BYTES = 64 << 20  # a command that makes it more than that is killed


@dataclass
class Report:
    """`log_bytes`: how much all commands together have written to their log."""

    log_bytes: int = 0

    @property
    def flooded(self) -> bool:
        return self.log_bytes > FLOOD_BYTES

    def add_log(self, data: bytes) -> None:
        room = max(0, LOG_BYTES - self.log_bytes)
        self.log_bytes += len(data)
        if data and room:
            self.say(log=base64.b64encode(data[:room]).decode())

    def say(self, **facts: object) -> None:
        rest = memoryview(json.dumps(facts).encode() + b"\n")
        with contextlib.suppress(OSError):  # the host that reads is gone, and soon this container as well
            while rest:
                rest = rest[os.write(DESCRIPTOR, rest) :]


def close_inherited() -> None:
    """Leave stdin, stdout, stderr and the report, and make sure that these exist: no other file may get their numbers.
    Nobody but the supervisor keeps the report."""
    while os.open(os.devnull, os.O_RDWR) <= DESCRIPTOR:
        pass
    os.set_inheritable(DESCRIPTOR, False)  # noqa: FBT003
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - descriptors, not files
        if int(name) > DESCRIPTOR:
            with contextlib.suppress(OSError):  # one of them listed the directory
                os.close(int(name))
