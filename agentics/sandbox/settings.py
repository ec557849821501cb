"""What an operator may choose about the engine. Everything has a default that is safe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """`streams`: FIFOs of our own, or the engine's attach; auto tries. `foreign_abis`: let 32-bit programs run too.
    `flood_bytes`: a log that goes on this far beyond its cap gets its container killed. `cache`: the directory
    where the outcome of probing an engine is remembered (None: probe in every process). `tmp_inodes` None: what lies
    in memory is bounded by its container's memory alone, on engines that know no such option."""

    api_timeout_s: float = 120.0
    streams: Literal["auto", "fifo", "attach"] = "auto"
    foreign_abis: bool = False
    shm_bytes: int = 64 << 20
    tmp_inodes: int | None = 65_536
    flood_bytes: int = 256 << 20
    cache: Path | None = None
