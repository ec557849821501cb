"""The whole suite: every case that this machine can show, and a row for each. What it makes on this machine goes."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from agentics.archive.hostile import discard
from agentics.attacks.catalogue import COMMANDED, EVALUATED, AttackCase, cases
from agentics.attacks.commands import AttackCommands, run_case
from agentics.attacks.evaluating import judge_group, run_group
from agentics.attacks.groups import CANARY
from agentics.attacks.rows import AttackRow, unshown
from agentics.attacks.surroundings import Machine, examine
from agentics.config import Config
from agentics.runner.machine import open_scratch

_PLANTED = "ATTACKED_HOST"
_ALTERED = "files"
"""The group whose run directory is given to cases that alter one, since it is a small one."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far the suite is: `done` of `total` cases, and the one that is over."""

    group: str
    case: str
    done: int
    total: int


Tell = Callable[[Step], None]
Part = Literal["whole", "quick", "chosen"]
"""What of the suite was run: all of it, its quick half, or cases by name."""


@dataclass(frozen=True, kw_only=True)
class AttackReport:
    """The table, and the machine that it is about."""

    machine: Machine
    part: Part
    rows: tuple[AttackRow, ...]

    @property
    def ok(self) -> bool:
        """Whether no case failed. What was not shown is not counted, neither way."""
        return all(row.status != "failed" for row in self.rows)

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(row.status for row in self.rows)
        return {status: found[status] for status in ("ok", "failed", "not shown")}

    def document(self) -> dict[str, Any]:
        """The one JSON object of `agentics doctor --attack --json`."""
        return {
            "ok": self.ok,
            "command": "doctor",
            "part": self.part,
            "machine": asdict(self.machine),
            "counts": self.counts,
            "cases": [asdict(row) for row in self.rows],
        }


def attack(config: Config, tell: Tell, chosen: Sequence[AttackCase]) -> AttackReport:
    """Run these cases. Raises EngineMissing where there is no engine, and Stopped on a signal."""
    machine = examine(config)
    with _own_place(config) as (own, root):
        rows = tuple(_rows(own, root, machine, _Steps(tell, chosen)))
    return AttackReport(machine=machine, part=_part(chosen), rows=rows)


def _part(chosen: Sequence[AttackCase]) -> Part:
    names = {case.path for case in chosen}
    if names == {case.path for case in cases()}:
        return "whole"
    return "quick" if names == {case.path for case in cases(full=False)} else "chosen"


class _Steps:
    """Counts the cases that are over, and tells each."""

    def __init__(self, tell: Tell, chosen: Sequence[AttackCase]) -> None:
        self._tell = tell
        self._names = {(case.group, case.name) for case in chosen}
        self._done = 0
        self.cases = chosen

    def over(self, group: str, name: str) -> None:
        if (group, name) in self._names:
            self._done += 1
            self._tell(Step(group=group, case=name, done=self._done, total=len(self._names)))


def _rows(config: Config, root: Path, machine: Machine, steps: _Steps) -> Iterator[AttackRow]:
    run: Path | None = None
    for group in EVALUATED:
        shown = []
        for case in (case for case in steps.cases if case.group == group):
            why = machine.lacks(case)
            if why is None:
                shown.append(case)
            else:
                steps.over(group, case.name)
                yield unshown(case, machine, why)
        if shown or (group == _ALTERED and any(case.group == "rundirs" for case in steps.cases)):
            folder = root / group
            seen = run_group(group, shown, config, folder, partial(steps.over, group))
            yield from judge_group(group, shown, seen, machine)
            if group == _ALTERED:
                run = Path(shutil.move(seen.ended.run_dir, root / "run"))
            shutil.rmtree(folder)
    yield from _commanded(root / "commands", machine, steps, run)


def _commanded(root: Path, machine: Machine, steps: _Steps, run: Path | None) -> Iterator[AttackRow]:
    chosen = [case for group in COMMANDED for case in steps.cases if case.group == group]
    if not chosen:
        return
    root.mkdir()
    empty = root / "agentics.toml"
    empty.write_text("", encoding="utf-8")
    with AttackCommands(root, empty) as commands:
        for case in chosen:
            why = machine.lacks(case) if run or case.group != "rundirs" else "no run directory could be made"
            folder = root / case.group / case.name
            yield unshown(case, machine, why) if why else run_case(case, commands, machine, folder, run)
            discard(folder)
            steps.over(case.group, case.name)


@contextmanager
def _own_place(config: Config) -> Iterator[tuple[Config, Path]]:
    """The operator's configuration with scratch space of the suite's own and a canary, and a folder for outputs. Both
    lie in one scratch directory of this process, so that `agentics clean` removes them when the process is killed."""
    with open_scratch(config) as scratch:
        sandbox = config.sandbox.model_copy(update={"scratch": scratch.plain()})
        environment = {**config.network.environment, "ATTACKED_OPERATOR": f"{CANARY}configuration"}
        network = config.network.model_copy(update={"environment": environment})
        before = os.environ.get(_PLANTED)
        os.environ[_PLANTED] = f"{CANARY}host"
        try:
            yield config.model_copy(update={"sandbox": sandbox, "network": network}), scratch.plain()
        finally:
            if before is None:
                del os.environ[_PLANTED]
            else:
                os.environ[_PLANTED] = before
