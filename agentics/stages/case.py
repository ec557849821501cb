"""One case: its inputs laid out, its container run, what it left collected for the evaluator and kept as evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentics.model.bundle.manifest import RunEntry
from agentics.model.evidence.trial_evidence import CaseRecord, ContainerRecord, KeptPart, Violation
from agentics.model.plan.trial_plan import RunCases
from agentics.pipeline.attempt_tools import MIB, AttemptTools, Users
from agentics.policy.topologies.separated import alias, case_env
from agentics.sandbox.collect import Caps, Collected, collect, make_writable
from agentics.sandbox.places import Place
from agentics.sandbox.regular import read_part
from agentics.stages.case_evidence import KeptFiles, keep_case_files, tails
from agentics.stages.cooperation_mounts import carried_out, mounted
from agentics.stages.evaluator_view import FACTS, STDIN, STREAMS, inputs_of, show, show_nothing, stdin_of
from agentics.stages.restore import is_whole, restore

GIVEN_BYTES = 64 << 10


@dataclass(frozen=True)
class Numbered:
    """A case with its place in the manifest, and the users of its container."""

    index: int
    run: RunEntry
    users: Users


def carry_out(tools: AttemptTools, wanted: RunCases, index: int, run: RunEntry) -> CaseRecord:
    """Raises Interrupted, EngineError when the engine fails, and StorageError when what it goes on from is damaged."""
    tools.check_interrupted()
    earlier = tools.resume.cases.get(run.run_name)
    if earlier is not None and is_whole(tools.keep, earlier):
        case = restore(tools, wanted, run, earlier)
    else:
        with tools.case_users() as users:
            place = tools.scratch.bounded(wanted.container.limits.disk_limit_mb * MIB, uid=users.solution)
            try:
                case = _in_place(tools, wanted, Numbered(index, run, users), place)
            finally:
                tools.scratch.release(place)
    tools.keep.append("cases", case)
    return case


def _in_place(tools: AttemptTools, wanted: RunCases, asked: Numbered, place: Place) -> CaseRecord:
    index, run, users = asked.index, asked.run, asked.users
    inputs = _lay_out(tools, wanted, asked, place)
    plan = wanted.container
    own: dict[str, Path | Place] = {"io": place, "io_input": inputs}
    with mounted(tools, plan, alias(index), users) as mounts:
        env = {**case_env(index, run.interface), **mounts.env}
        container = tools.container(plan, own={**own, **mounts.own}, env=env, users=users)
        ended, left = carried_out(tools, mounts, container, run.run_name)
    record = tools.describe("cases", plan, ended)
    seen = tools.paths["solution_runs"] / run.run_name
    collected = collect(place.path, seen, Caps(bytes=place.limit_bytes), reserved=frozenset({FACTS}))
    violation = _violation(wanted, record, collected) or _misshapen(seen)
    if violation is not None:
        show_nothing(seen)
        kept = KeptFiles(tails=tuple(tails(tools.keep, place.path, STREAMS)))
    else:
        kept = keep_case_files(tools.keep, seen, collected, tools.evidence_bounds)
    case = CaseRecord(
        run_name=run.run_name,
        alias=alias(index),
        interface=run.interface,
        container=record,
        violation=violation,
        files=kept.files,
        folders=kept.folders,
        listing=kept.listing,
        given=tuple(_given(tools, run, inputs)),
        tails=kept.tails,
        place_kind=place.kind,
        events_ref=left.events.ref,
        events_problem=left.events.problem,
        checkpoints=left.checkpoints,
    )
    show(seen, case, run, inputs)
    return case


def _lay_out(tools: AttemptTools, wanted: RunCases, asked: Numbered, place: Place) -> Path:
    """Fill the case's own /io, and beside it the read-only inputs, which count against nobody's disk; their path."""
    for folder in ("input", "output", "tmp"):
        (place.path / folder).mkdir()
    (place.path / STDIN).write_bytes(stdin_of(asked.run))
    make_writable(place.path, uid=asked.users.solution)
    return inputs_of(tools, wanted, asked.run)


def _given(tools: AttemptTools, run: RunEntry, inputs: Path) -> Iterator[KeptPart]:
    """What the case was given, with the head of each file in a validation. Of official inputs only names and sizes:
    the overlay has them, and nothing else needs a copy."""
    shown = tools.plan.mode == "validation"
    stdin = stdin_of(run)
    head = tools.keep.put_bytes(stdin[:GIVEN_BYTES]) if shown and stdin else None
    yield KeptPart(path=STDIN, size_bytes=len(stdin), ref=head)
    for path in (item.path for item in run.input_files or ()):
        size, head_bytes = read_part(inputs, path, GIVEN_BYTES, end=False) or (0, b"")
        ref = tools.keep.put_bytes(head_bytes) if shown and head_bytes else None
        yield KeptPart(path=f"input/{path}", size_bytes=size, ref=ref)


def _violation(wanted: RunCases, record: ContainerRecord, collected: Collected) -> Violation | None:
    if record.ended == "disk_limit":
        places = "/io or /agentics-state" if wanted.container.mounts_place("state") else "/io"
        limit = wanted.container.limits.disk_limit_mb
        return Violation(kind="disk_limit", detail=f"{places} grew beyond {limit} MiB while the case ran")
    if collected.violation is not None:
        return Violation(kind=collected.violation.kind, detail=collected.violation.detail)
    return None


def _misshapen(seen: Path) -> Violation | None:
    """Evaluators are promised that the streams are files and `output` a directory: participants cannot break that."""
    for name in (STDIN, *STREAMS):
        if (seen / name).is_dir():
            return Violation(kind="not_a_file", detail=f"{name}: a directory where a file was")
    if (seen / "output").is_file():
        return Violation(kind="not_a_directory", detail="output: a file where a directory was")
    return None
