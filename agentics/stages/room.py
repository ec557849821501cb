"""What a solution that is not plain is lent beside its case: what it is told, read-only, and a place for its state.

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
from agentics.pipeline.bench import MIB, Bench, Users
from agentics.pipeline.cooperation import CONTROL_FILE, EVENTS_BYTES, EVENTS_FILE, write_whole
from agentics.pipeline.stage import Interrupted
from agentics.policy.topologies.parts import CHECKPOINT_ENV
from agentics.rundir.atomic import utc_now
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
class Room:
    """One container's. A plain one's is empty."""

    alias: str
    own: Mapping[str, Path | Place] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    control: Path | None = None
    state: Place | None = None


@dataclass(frozen=True, kw_only=True)
class Events:
    """`problem`: why the events file could not be kept although something stands under its name."""

    ref: str | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a container left in its room."""

    events: Events = Events()
    checkpoints: tuple[Checkpoint, ...] = ()


@contextmanager
def lent(bench: Bench, plan: ContainerPlan, alias: str, users: Users) -> Iterator[Room]:
    """Its room, the state owned by the solution of `users`, for as long as this lasts. Raises StorageError when a
    checkpoint to go on from is not whole."""
    if not plan.mounts_place("state"):
        yield Room(alias=alias)
        return
    state = bench.scratch.bounded(plan.limits.disk_limit_mb * MIB, uid=users.solution)
    control = bench.scratch.plain()
    try:
        (state.path / CHECKPOINTS).mkdir()
        make_writable(state.path, uid=users.solution)
        env = _tell(bench, control, alias)
        yield Room(alias=alias, own={"control": control, "state": state}, env=env, control=control, state=state)
    finally:
        bench.scratch.release(state)
        discard(control)


def carried_out(bench: Bench, room: Room, container: Container, run_name: str) -> tuple[Exit, Left]:
    """Run the container. Raises Interrupted when the solution was asked to stop and did, or must not start because
    another case of it did; then its checkpoints are in the attempt's ledger."""
    ended = _ended(bench, room, container)
    left = Left(events=events(bench, room), checkpoints=tuple(_checkpoints(bench, room, run_name)))
    if ended is None:
        for checkpoint in left.checkpoints:
            bench.keep.append(CHECKPOINTS, checkpoint)
        raise Interrupted
    bench.check_interrupted()
    return ended, left


def _ended(bench: Bench, room: Room, container: Container) -> Exit | None:
    """How the container ended by itself; None when it ended because its solution acknowledged a stop."""
    cooperation = bench.cooperation
    if cooperation is None or room.control is None or room.state is None:
        return bench.engine.start(container).wait()
    if not cooperation.opened(room.alias, room.control, room.state.path, bench.interrupt.is_set):
        raise Interrupted
    failed: EngineError | None = None
    stopped, ended = False, None
    try:
        ended = bench.engine.start(container).wait()
    except EngineError as error:
        failed = error  # a solution that acknowledged and does not end is removed: the engine has lost it then
    finally:
        stopped = cooperation.closed(room.alias)
    if failed is not None and not stopped:
        raise failed
    return None if stopped else ended


def events(bench: Bench, room: Room) -> Events:
    """Keep the events file of an ended container."""
    if room.state is None:
        return Events()
    make_readable(room.state.path)  # where we are not root, a mode of its own would lock us out
    data = read_regular(room.state.path, EVENTS_FILE, EVENTS_BYTES)
    if isinstance(data, bytes):
        return Events(ref=bench.keep.put_bytes(data))
    return Events(problem=None if data == "missing" else data)


def _tell(bench: Bench, control: Path, alias: str) -> dict[str, str]:
    """Write what the solution may read; the environment that names what is there only sometimes."""
    plan = bench.plan
    control.chmod(0o755)
    write_whole(control / "bindings.json", compact_json(plan.bindings).encode() + b"\n")
    write_whole(control / "task.json", CaseTask(challenge_name=plan.challenge_name, target=plan.target, alias=alias))
    nothing_yet = ControlPlane(seq=0, action="continue", label=None, requested_at=utc_now(), requested_by="run_loop")
    write_whole(control / CONTROL_FILE, nothing_yet)
    checkpoint = bench.resume.checkpoints.get(alias)
    if checkpoint is None:
        return {}
    folder = control / "checkpoint"
    folder.mkdir()
    take_out(bench.keep, checkpoint.files, folder)
    make_readable(folder)  # whatever our own umask is
    return dict(CHECKPOINT_ENV)


def _checkpoints(bench: Bench, room: Room, run_name: str) -> Iterator[Checkpoint]:
    if room.state is None:
        return
    # Of all checkpoints together.
    root, caps = room.state.path / CHECKPOINTS, Caps(bytes=room.state.limit_bytes, name_bytes=NAME_BYTES)
    shown = run_name if bench.plan.mode == "validation" else None
    for name in _names(root):
        copy = bench.scratch.plain()
        collected = collect(root / name, copy, caps)
        files = tuple(keep_file(bench.keep, copy, file) for file in collected.files)
        found, facts = collected.violation, _facts(copy)
        remove(copy)
        caps = Caps(
            bytes=caps.bytes - sum(file.size_bytes for file in files),
            files=caps.files - len(files),
            name_bytes=caps.name_bytes - sum(len(file.path.encode()) for file in files),
        )
        yield Checkpoint(
            alias=room.alias,
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
