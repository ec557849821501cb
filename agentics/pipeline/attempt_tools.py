"""What stages work with: the engine, places, images and users of one attempt. It decides nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from agentics.archive import SolutionPackage
from agentics.config import EvidenceBounds
from agentics.content import as_digest
from agentics.errors import StopFlag
from agentics.model.bundle.challenge import MetricSchema
from agentics.model.document.record import Record
from agentics.model.evidence.trial_evidence import (
    CaseRecord,
    Checkpoint,
    ContainerRecord,
    ImageUse,
    SharedUse,
    Submission,
    UserMode,
)
from agentics.model.evidence.workspace import WorkspaceSnapshot
from agentics.model.plan.trial_plan import ContainerPlan, PlaceMount, Plan, Side
from agentics.pipeline.contract.stage import Context, Interrupted
from agentics.pipeline.cooperation import Cooperation
from agentics.pipeline.setup_reuse import SetupReuse
from agentics.policy.publish.redact import Redactor
from agentics.policy.verdict.shared_use import read_report
from agentics.sandbox.engine import Container, Engine, EngineFacts, Exit, Limits, Mount, Relaxation, Running
from agentics.sandbox.network import NetworkAccess
from agentics.sandbox.places import Place, Scratch
from agentics.sandbox.setups import SetupProduct

MIB = 1 << 20
LEAST_MEMORY = 6 * MIB  # engines refuse less
LEAST_CPU = 10
LONGEST_S = 10 * 365 * 86400
MOST_BYTES = 1 << 62
SUPERVISOR_CAPABILITIES = ("SETUID", "SETGID", "KILL", "SETPCAP")
SOLUTION_SHARE = 0.75  # of the processes that a shared container may have


class EvidenceStore(Protocol):
    """Where evidence goes, durably, as it happens."""

    def put_bytes(self, data: bytes) -> str:
        """Keep by content; the reference."""

    def put_file(self, path: Path) -> str:
        """Keep a file by content; the reference."""

    def append(self, name: str, record: Record) -> None:
        """Add one line to the attempt's ledger of that name."""

    def path(self, ref: str) -> Path:
        """Where the content of a reference lies, to be read. There is no such file when it was lost."""


@dataclass(frozen=True, kw_only=True)
class Resume:
    """What an attempt goes on from. `cases` by run name: finished ones, that are not run again; `checkpoints` by alias:
    what the case of that alias is given to start from; `submission`: what evaluators were told of the solution. With
    all cases and that, an evaluation needs no solution: its plan's stages `prepare`, setup and build are left out."""

    cases: Mapping[str, CaseRecord] = field(default_factory=dict)
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    submission: Submission | None = None


@dataclass(frozen=True, kw_only=True)
class ReadyImage:
    """An image as it will be used, and what the operator relaxed for it."""

    use: ImageUse
    relaxed: frozenset[Relaxation] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Users:
    """Who runs what: numeric users, and how they were chosen. `apart`: who runs a solution that shares its container
    with the evaluator, always somebody else than the evaluator."""

    solution: int
    evaluator: int
    apart: int
    mode: UserMode

    def argument(self, user: Literal["solution", "evaluator", "supervisor"]) -> str:
        number = {"solution": self.solution, "evaluator": self.evaluator, "supervisor": 0}[user]
        return f"{number}:{number}"


@dataclass(kw_only=True)
class AttemptTools:
    """One attempt's tools. `jobs`: cases in flight, None for the default; `undisturbed`: one case at a time;
    `cooperation`: where the solution can be asked to stop, None where it was not said to understand that; `network`:
    what containers that declare network get, None where no container may have it; `redactor`: takes out of logs what
    must not be written; `setup_reuse`: None where the challenge's setup runs in every attempt; `evidence_bounds`: how
    much of what a case left is kept; `runtime`: what runs containers of a role, None for the engine's default;
    `lease_uid`: a user for one container of a case, None where all have the attempt's."""

    engine: Engine
    scratch: Scratch
    plan: Plan
    images: Mapping[Side, ReadyImage]
    users: Users
    labels: Mapping[str, str]
    challenge: Path
    solution: SolutionPackage | None
    metric_schema: MetricSchema
    submission_id: str
    keep: EvidenceStore
    interrupt: StopFlag
    observer: Callable[..., None]
    jobs: int | None = None
    undisturbed: bool = False
    cooperation: Cooperation | None = None
    network: NetworkAccess | None = None
    redactor: Redactor = field(default_factory=Redactor)
    setup_reuse: SetupReuse | None = None
    evidence_bounds: EvidenceBounds = field(default_factory=EvidenceBounds)
    runtime: Callable[[str], str | None] = lambda _role: None
    lease_uid: Callable[[], AbstractContextManager[int]] | None = None
    resume: Resume = field(default_factory=Resume)
    places: dict[str, Place] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    ahead: Running | None = None
    setup_product: SetupProduct | None = None
    workspace_before: WorkspaceSnapshot | None = None
    """The workspace as the solution was unpacked into it."""

    @property
    def interrupted(self) -> bool:
        return self.interrupt.is_set()

    @property
    def submission(self) -> Submission:
        """What evaluators are told of the solution."""
        if self.resume.submission is not None:
            return self.resume.submission
        solution = self.solution_at_hand
        return Submission(
            solution_submission_id=self.submission_id,
            artifact_zip_bytes=solution.zip_bytes,
            artifact_uncompressed_bytes=solution.uncompressed_bytes,
            artifact_file_count=solution.file_count,
            artifact_sha256=as_digest(solution.sha256),
        )

    @property
    def solution_at_hand(self) -> SolutionPackage:
        if self.solution is None:
            msg = "a plan that needs the solution was carried out without one"
            raise AssertionError(msg)
        return self.solution

    def check_interrupted(self) -> None:
        """Raises Interrupted when the run was asked to stop."""
        if self.interrupted:
            raise Interrupted

    def observe(self, event: str, **facts: object) -> None:
        self.observer(event, **facts)

    def bounded(self, name: str, disk_limit_mb: int, uid: int) -> Place:
        """The place of that name, bounded while containers write to it."""
        place = self.scratch.bounded(disk_limit_mb * MIB, uid=uid)
        self.places[name] = place
        self.paths[name] = place.path
        return place

    def plain(self, name: str) -> Path:
        """The place of that name, that only we write to."""
        path = self.scratch.plain()
        self.paths[name] = path
        return path

    def use_setup(self, product: SetupProduct) -> None:
        """Mount this product at /setup from now on. It is held until the attempt ends."""
        self.setup_product = product
        own = self.places.get("setup")
        if own is not None and own.path != product.path:
            self.scratch.release(self.places.pop("setup"))
        self.paths["setup"] = product.path

    def own(self, path: Path, uid: int, mode: int) -> None:
        """Give one file of ours to a container's user. Where we are not root, that user is us."""
        if os.geteuid() == 0:
            os.chown(path, uid, uid)
        path.chmod(mode)

    def container(
        self,
        plan: ContainerPlan,
        *,
        own: Mapping[str, Path | Place] | None = None,
        env: Mapping[str, str] | None = None,
        users: Users | None = None,
    ) -> Container:
        """The container that the plan means, on this machine. `own` are places of this container alone; `users`: its
        own, where they are not the attempt's."""
        image = self.images[plan.image]
        supervised, limits = plan.user == "supervisor", _limits(plan, self.engine.facts())
        network = self._network(plan)
        return Container(
            role=plan.role,
            image=image.use.id,
            argv=self._supervised(plan.argv, limits) if supervised else plan.argv,
            cwd=plan.cwd,
            user=(users or self.users).argument(plan.user),
            limits=limits,
            # What the bundle's contract sets wins over what the operator gives.
            env={**_names(plan), **(network.environment if network else {}), **plan.env, **(env or {})},
            mounts=(*self._mounts(plan, own or {}), *(network.mounts if network else ())),
            labels={**self.labels, "org.agentics.role": plan.role},
            network=network is not None,
            stdio="supervised" if supervised else plan.stdio,
            speaker=self.users.evaluator if supervised else None,
            capabilities=SUPERVISOR_CAPABILITIES if supervised else (),
            gpus=self.plan.gpu_count,
            relaxed=image.relaxed,
            runtime=self.runtime(plan.role),
        )

    @contextmanager
    def case_users(self) -> Iterator[Users]:
        """Users for one container of a case, held meanwhile. Raises EngineError."""
        if self.lease_uid is None or self.users.mode != "own" or self.users.solution == 0:
            yield self.users
            return
        with self.lease_uid() as uid:
            yield replace(self.users, solution=uid)

    def record(self, stage: str, plan: ContainerPlan, ended: Exit) -> ContainerRecord:
        """What is kept of how a container ended; in the attempt's ledger, durable when this returns."""
        record = self.describe(stage, plan, ended)
        self.keep.append("containers", record)
        return record

    def describe(self, stage: str, plan: ContainerPlan, ended: Exit) -> ContainerRecord:
        """How a container ended, its log kept by content."""
        image, network = self.images[plan.image], self._network(plan)
        return ContainerRecord(
            stage=stage,
            role=plan.role,
            image_id=image.use.id,
            ended=ended.ended,
            exit_code=ended.exit_code,
            signal=ended.signal,
            oom_killed=ended.oom_killed,
            started_at=ended.started_at,
            finished_at=ended.finished_at,
            wall_s=ended.wall_s,
            cpu_s=ended.cpu_s,
            memory_peak_bytes=ended.memory_peak_bytes,
            pids_peak=ended.pids_peak,
            timeout_s=plan.limits.timeout_sec,
            memory_limit_bytes=plan.limits.memory_limit_mb * MIB,
            log_ref=self.keep.put_bytes(self.redactor.known_bytes(ended.log)) if ended.log else None,
            log_bytes=ended.log_bytes_seen,
            log_truncated=ended.log_truncated,
            relaxed=tuple(sorted(image.relaxed)),
            runtime=ended.runtime,
            kernel=ended.kernel,
            user=ended.user,
            user_mode=self.users.mode,
            paused_s=ended.paused_s,
            network=network.use if network else None,
            shared=self._shared(ended) if plan.user == "supervisor" else None,
        )

    def close(self) -> None:
        """Give back whatever this attempt still holds."""
        if self.ahead is not None:
            self.ahead.discard()
            self.ahead = None
        for place in self.places.values():
            self.scratch.release(place)
        self.places.clear()
        if self.setup_product is not None:
            self.setup_product.close(self.scratch)
            self.setup_product = None

    def _network(self, plan: ContainerPlan) -> NetworkAccess | None:
        return self.network if plan.limits.network_access == "enabled" else None

    def _supervised(self, argv: tuple[str, ...], limits: Limits) -> tuple[str, ...]:
        users = ("--evaluator-uid", str(self.users.evaluator), "--solution-uid", str(self.users.apart))
        processes = ("--solution-processes", str(int(limits.pids * SOLUTION_SHARE)))
        return ("python3", "/agentics/coexec.py", *users, *processes, "--", *argv)

    def _shared(self, ended: Exit) -> SharedUse:
        use, log = read_report(ended.report)
        return use.model_copy(update={"log_ref": self.keep.put_bytes(self.redactor.known_bytes(log)) if log else None})

    def _mounts(self, plan: ContainerPlan, own: Mapping[str, Path | Place]) -> tuple[Mount, ...]:
        places = {**self.paths, **self.places, **own}
        return tuple(_mount(wanted, places[wanted.place], plan.limits.disk_limit_mb * MIB) for wanted in plan.mounts)


def _names(plan: ContainerPlan) -> dict[str, str]:
    """What programs else look up in the image's list of users, where the numbers that containers have are not."""
    name = "solution" if plan.user == "solution" else "evaluator"
    return {"HOME": "/tmp", "LOGNAME": name, "USER": name}  # noqa: S108 - a path inside the container


def _mount(wanted: PlaceMount, place: Path | Place, limit_bytes: int) -> Mount:
    if isinstance(place, Path):
        return Mount(source=place, target=wanted.target, writable=wanted.writable)
    # A plain directory is bounded by nothing but our own look at it.
    watched = wanted.writable and place.kind == "directory"
    return Mount(
        source=place.path,
        target=wanted.target,
        writable=wanted.writable,
        watch_bytes=limit_bytes if watched else None,
        watch_inodes=place.inodes if watched else None,
    )


def _limits(plan: ContainerPlan, facts: EngineFacts) -> Limits:
    """What the stage declares, as far as this machine has it: an engine refuses more cores than there are."""
    limits = plan.limits
    return Limits(
        timeout_s=min(limits.timeout_sec, LONGEST_S),
        memory_bytes=max(LEAST_MEMORY, min(limits.memory_limit_mb * MIB, facts.memory_bytes)),
        cpu_millis=max(LEAST_CPU, min(limits.cpu_limit_millis, facts.cpus * 1000)),
        disk_bytes=min(limits.disk_limit_mb * MIB, MOST_BYTES),
    )


def attempt_tools(context: Context) -> AttemptTools:
    """The tools of a solution's trial. Raises UsageError outside a trial."""
    tools: AttemptTools = context.tools
    return tools
