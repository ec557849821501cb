"""What a container says, kept up to a cap. Beyond it we read on and drop, so that a flood costs no memory."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

_CHUNK = 1 << 18


@dataclass
class Log:
    """`flood` is how many bytes we are willing to read at all."""

    cap: int
    flood: int
    seen: int = 0
    _kept: bytearray = field(default_factory=bytearray)

    @property
    def kept(self) -> bytes:
        return bytes(self._kept)

    @property
    def truncated(self) -> bool:
        return self.seen > self.cap

    @property
    def flooded(self) -> bool:
        return self.seen > self.cap + self.flood

    def add(self, data: bytes) -> None:
        self.seen += len(data)
        if len(self._kept) < self.cap:
            self._kept += data[: self.cap - len(self._kept)]

    def read(self, descriptor: int) -> bool:
        """Take what is there, without blocking. False once nobody can write any more."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        self.add(data)
        return bool(data)

    def drain(self, descriptor: int) -> None:
        """Take what a container that has ended left in the pipe: at most what a pipe holds."""
        before = -1
        while before != self.seen:
            before = self.seen
            self.read(descriptor)
