"""This machine while it is attacked: what it can show, and what cases leave on it."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agentics.attacks.catalogue import AttackCase
from agentics.attacks.material import TARGET
from agentics.config import Config, runtime_of
from agentics.pipeline.progress import Progress
from agentics.runner.machine import labelled, open_engine, open_scratch
from agentics.sandbox.labels import OWNER, TRIAL, this_process


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What the outcome of a case can depend on. `places`: how writable places are bounded. `root`: participants have a
    user of their own."""

    engine: str
    runtime: str
    places: str
    root: bool
    network: bool

    @property
    def holding(self) -> frozenset[str]:
        """The conditions of headers that hold here."""
        return frozenset({self.runtime, self.places, "root" if self.root else "plain-user"})

    def lacks(self, case: AttackCase) -> str | None:
        """Why the case can show nothing here; None where it can."""
        has = {
            "root": self.root,
            "loop": self.places == "loop",
            "bounded": self.places in ("loop", "tmpfs"),
            "network": self.network,
        }
        missing = sorted(need for need in case.needs if not has[need])
        return f"this machine lacks: {', '.join(missing)}" if missing else None


def examine(config: Config) -> Machine:
    """Raises EngineMissing, ConfigError and StorageError."""
    with open_scratch(config) as scratch, open_engine(config, scratch) as engine:
        facts = engine.facts()
        return Machine(
            engine=f"{facts.name} {facts.version}",
            runtime=runtime_of(config, TARGET, "run") or facts.default_runtime,
            places=scratch.kind,
            root=os.geteuid() == 0 and not facts.rootless,
            network=config.network.allowed,
        )


@dataclass
class LeftoverWatch:
    """Looks, whenever a trial has ended, for what it left on the engine: containers that still run."""

    config: Config
    tell: Callable[[str], None]
    left: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, event: Progress) -> None:
        if event.kind != "trial_finished" or event.trial_id is None or event.variant is None:
            return
        found = labelled(self.config, {OWNER: this_process().label(), TRIAL: event.trial_id})
        # What is being removed at this moment is no longer there for anybody else.
        self.left[event.variant] = [one for one in found if one.endswith(" running")]
        self.tell(event.variant)


@dataclass(frozen=True, kw_only=True)
class OwnResources:
    """What this process holds: open descriptors and live threads."""

    descriptors: int
    threads: int


def own_resources() -> OwnResources:
    gc.collect()
    return OwnResources(descriptors=len(list(Path("/proc/self/fd").iterdir())), threads=threading.active_count())


def leftovers(config: Config, before: OwnResources) -> list[str]:
    """What evaluations left on this machine, in words; empty where nothing was left. `config` names scratch space that
    only these evaluations use."""
    scratch = config.sandbox.scratch or Path()
    now = own_resources()
    found = [f"container {one}" for one in labelled(config, {OWNER: this_process().label()})]
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    found += [f"mount {line}" for line in mounts if str(scratch) in line]
    found += [f"loop device {device}" for device, image in _loops() if str(scratch) in image]
    found += [f"scratch {path.name}" for path in sorted(scratch.iterdir())] if scratch.is_dir() else []
    if now.descriptors > before.descriptors:
        found.append(f"{now.descriptors - before.descriptors} open descriptors")
    if now.threads > before.threads:
        found.append(f"{now.threads - before.threads} threads")
    return found


def _loops() -> list[tuple[str, str]]:
    """Loop devices that have an image, each with its path."""
    files = Path("/sys/block").glob("loop*/loop/backing_file")
    found = []
    for file in files:
        try:
            found.append((file.parts[3], file.read_text(encoding="utf-8", errors="replace").strip()))
        except OSError:  # it was given back in the meantime
            continue
    return found
