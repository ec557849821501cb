"""The mounts of a cooperating solution: the control file that it reads, and a place for its state.

The state is a participant's. Nothing of it is read but the events file and the checkpoints, and neither can fail a
case: what cannot be taken is left, and the record says why.
"""

from __future__ import annotations

import heapq
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agentics.archive.hostile import discard, remove
from agentics.errors import EngineError
from agentics.model.document.strict_types import compact_json
from agentics.model.evidence.hooks import CaseTask, CheckpointFacts, ControlPlane
from agentics.model.evidence.trial_evidence import Checkpoint, Violation
from agentics.model.plan.trial_plan import ContainerPlan
from agentics.pipeline.attempt_tools import MIB, AttemptTools, Users
from agentics.pipeline.contract.stage import Interrupted
from agentics.pipeline.cooperation import CONTROL_FILE, EVENTS_BYTES, EVENTS_FILE, write_whole
from agentics.policy.topologies.parts import CHECKPOINT_ENV
from agentics.rundir.files.atomic import utc_now
from agentics.sandbox.collect import Caps, collect, make_readable, make_writable
from agentics.sandbox.engine import Container, Exit
from agentics.sandbox.places import Place
from agentics.sandbox.regular import read_regular
from agentics.stages.restore import keep_file, take_out

CHECKPOINTS = "checkpoints"
FACTS_FILE = "checkpoint.json"
FACTS_BYTES = 64 << 10
MOST_CHECKPOINTS = 64
NAME_BYTES = 1 << 20
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class CooperationMounts:
    """One container's. A plain one's is empty."""

    alias: str
    own: Mapping[str, Path | Place] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    control: Path | None = None
    state: Place | None = None


@dataclass(frozen=True, kw_only=True)
class SolutionEvents:
    """`problem`: why the events file could not be kept although something stands under its name."""

    ref: str | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a container left in its room."""

    events: SolutionEvents = SolutionEvents()
    checkpoints: tuple[Checkpoint, ...] = ()


@contextmanager
def mounted(tools: AttemptTools, plan: ContainerPlan, alias: str, users: Users) -> Iterator[CooperationMounts]:
    """Its room, the state owned by the solution of `users`, for as long as this lasts. Raises StorageError when a
    checkpoint to go on from is not whole."""
    if not plan.mounts_place("state"):
        yield CooperationMounts(alias=alias)
        return
    state = tools.scratch.bounded(plan.limits.disk_limit_mb * MIB, uid=users.solution)
    control = tools.scratch.plain()
    try:
        (state.path / CHECKPOINTS).mkdir()
        make_writable(state.path, uid=users.solution)
        env = _tell(tools, control, alias)
        yield CooperationMounts(
            alias=alias, own={"control": control, "state": state}, env=env, control=control, state=state
        )
    finally:
        tools.scratch.release(state)
        discard(control)


def carried_out(
    tools: AttemptTools, mounts: CooperationMounts, container: Container, run_name: str
) -> tuple[Exit, Left]:
    """Run the container. Raises Interrupted when the solution was asked to stop and did, or must not start because
    another case of it did; then its checkpoints are in the attempt's ledger."""
    ended = _ended(tools, mounts, container)
    left = Left(events=events(tools, mounts), checkpoints=tuple(_checkpoints(tools, mounts, run_name)))
    if ended is None:
        for checkpoint in left.checkpoints:
            tools.keep.append(CHECKPOINTS, checkpoint)
        raise Interrupted
    tools.check_interrupted()
    return ended, left


def _ended(tools: AttemptTools, mounts: CooperationMounts, container: Container) -> Exit | None:
    """How the container ended by itself; None when it ended because its solution acknowledged a stop."""
    cooperation = tools.cooperation
    if cooperation is None or mounts.control is None or mounts.state is None:
        return tools.engine.start(container).wait()
    if not cooperation.opened(mounts.alias, mounts.control, mounts.state.path, tools.interrupt.is_set):
        raise Interrupted
    failed: EngineError | None = None
    stopped, ended = False, None
    try:
        ended = tools.engine.start(container).wait()
    except EngineError as error:
        failed = error  # a solution that acknowledged and does not end is removed: the engine has lost it then
    finally:
        stopped = cooperation.closed(mounts.alias)
    if failed is not None and not stopped:
        raise failed
    return None if stopped else ended


def events(tools: AttemptTools, mounts: CooperationMounts) -> SolutionEvents:
    """Keep the events file of an ended container."""
    if mounts.state is None:
        return SolutionEvents()
    make_readable(mounts.state.path)  # where we are not root, a mode of its own would lock us out
    data = read_regular(mounts.state.path, EVENTS_FILE, EVENTS_BYTES)
    if isinstance(data, bytes):
        return SolutionEvents(ref=tools.keep.put_bytes(data))
    return SolutionEvents(problem=None if data == "missing" else data)


def _tell(tools: AttemptTools, control: Path, alias: str) -> dict[str, str]:
    """Write what the solution may read; the environment that names what is there only sometimes."""
    plan = tools.plan
    control.chmod(0o755)
    write_whole(control / "bindings.json", compact_json(plan.bindings).encode() + b"\n")
    write_whole(control / "task.json", CaseTask(challenge_name=plan.challenge_name, target=plan.target, alias=alias))
    nothing_yet = ControlPlane(seq=0, action="continue", label=None, requested_at=utc_now(), requested_by="run_loop")
    write_whole(control / CONTROL_FILE, nothing_yet)
    checkpoint = tools.resume.checkpoints.get(alias)
    if checkpoint is None:
        return {}
    folder = control / "checkpoint"
    folder.mkdir()
    take_out(tools.keep, checkpoint.files, folder)
    make_readable(folder)  # whatever our own umask is
    return dict(CHECKPOINT_ENV)


def _checkpoints(tools: AttemptTools, mounts: CooperationMounts, run_name: str) -> Iterator[Checkpoint]:
    if mounts.state is None:
        return
    # Of all checkpoints together.
    root, caps = mounts.state.path / CHECKPOINTS, Caps(bytes=mounts.state.limit_bytes, name_bytes=NAME_BYTES)
    shown = run_name if tools.plan.mode == "validation" else None
    for name in _names(root):
        copy = tools.scratch.plain()
        collected = collect(root / name, copy, caps)
        files = tuple(keep_file(tools.keep, copy, file) for file in collected.files)
        found, facts = collected.violation, _facts(copy)
        remove(copy)
        caps = Caps(
            bytes=caps.bytes - sum(file.size_bytes for file in files),
            files=caps.files - len(files),
            name_bytes=caps.name_bytes - sum(len(file.path.encode()) for file in files),
        )
        yield Checkpoint(
            alias=mounts.alias,
            run_name=shown,
            name=name,
            step=facts.step,
            label=facts.label,
            files=files,
            violation=Violation(kind=found.kind, detail=found.detail) if found is not None else None,
        )


def _names(root: Path) -> list[str]:
    """Directories that are checkpoints: not behind a link, of a plain name, and not more than a few."""
    # Nobody is left who could change this between the look and the use: the container has ended.
    if not _is_directory(root):
        return []
    names = (path.name for path in root.iterdir() if NAME.fullmatch(path.name) and _is_directory(path))
    return heapq.nsmallest(MOST_CHECKPOINTS, names)


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _facts(copy: Path) -> CheckpointFacts:
    data = read_regular(copy, FACTS_FILE, FACTS_BYTES)
    try:
        return CheckpointFacts.model_validate_json(data) if isinstance(data, bytes) else CheckpointFacts()
    except ValueError:
        return CheckpointFacts()
