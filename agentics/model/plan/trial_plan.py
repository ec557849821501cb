"""What will be done, as data. A plan speaks of places, never of host paths, so it is the same on every machine.

The one rule of safety lives here: a container that runs participant code cannot be given a private place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from agentics.model.document.record import Mode, Record, Trust
from agentics.model.run.design import Integration

PlaceName = Literal[
    "challenge",
    "workspace",
    "io",
    "io_input",
    "session",
    "setup",
    "output",
    "metadata",
    "solution_runs",
    "guest",
    "control",
    "state",
]
Role = Literal[
    "setup", "build", "run", "challenge-setup", "separated-evaluator", "interactive-evaluator", "coexecuted-evaluator"
]
Network = Literal["disabled", "loopback", "enabled"]
Topology = Literal["separated_evaluator", "piped_stdio", "coexecuted_benchmark", "model_worker"]


@dataclass(frozen=True, kw_only=True)
class TopologyFacts:
    """What callers ask about a topology, so that none of them compares its name.

    `runs_cases`: each case runs alone, and what it left is enough to evaluate again without the solution.
    `one_container`: solution and evaluator share a container, as two users.
    `of_a_model`: a model worker answers; there is no solution.
    """

    runs_cases: bool = False
    one_container: bool = False
    of_a_model: bool = False


TOPOLOGY_FACTS: Mapping[Topology, TopologyFacts] = {
    "separated_evaluator": TopologyFacts(runs_cases=True),
    "piped_stdio": TopologyFacts(),
    "coexecuted_benchmark": TopologyFacts(one_container=True),
    "model_worker": TopologyFacts(of_a_model=True),
}
Side = Literal["solution", "evaluator", "worker"]

ANY_PLATFORM = "any"
"""Of an image that is made for whatever machine it is made on."""
UNTRUSTED: frozenset[str] = frozenset({"setup", "build", "run"})
OPEN_PLACES: frozenset[str] = frozenset({"workspace", "io", "io_input", "control", "state"})


def _or_empty(value: object) -> object:
    return {} if value is None else value


class PlaceMount(Record):
    """A place at a path inside the container."""

    place: PlaceName
    target: str
    writable: bool = False


class StageLimits(Record):
    """A stage of the resource profile: seconds, MiB, thousandths of a core."""

    timeout_sec: int
    memory_limit_mb: int
    cpu_limit_millis: int
    disk_limit_mb: int
    network_access: Network


class ContainerPlan(Record):
    """One container to be. `user` is who runs its first process; `stdio` as in the sandbox."""

    role: Role
    image: Literal["solution", "evaluator"]
    user: Literal["solution", "evaluator", "supervisor"]
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    mounts: tuple[PlaceMount, ...]
    limits: StageLimits
    stdio: Literal["none", "log", "pipe"] = "log"

    @model_validator(mode="after")
    def _untrusted_sees_only_open_places(self) -> Self:
        if self.role in UNTRUSTED:
            private = sorted({m.place for m in self.mounts} - OPEN_PLACES)
            if private or self.user != "solution":
                msg = (
                    f"a {self.role} container runs participant code and cannot mount {', '.join(private) or self.user}"
                )
                raise ValueError(msg)
        if any(m.place == "control" and m.writable for m in self.mounts):
            msg = f"a {self.role} container cannot write to control, where it is told what to do"
            raise ValueError(msg)
        return self

    def mounts_place(self, place: PlaceName) -> bool:
        return any(mount.place == place for mount in self.mounts)


class PrepareWorkspace(Record):
    """Options of unpacking the solution into its workspace."""

    disk_limit_mb: int


class ContainerStage(Record):
    """Options of a stage that is one container and nothing else: solution setup and build."""

    container: ContainerPlan


class ChallengeSetup(Record):
    """Options of the challenge's own setup. `manifest_file` is what it must leave, relative to its place."""

    container: ContainerPlan
    manifest_file: str | None


class ManifestSource(Record):
    """Where the run or session manifest is read: in the bundle, or in what the challenge setup left."""

    place: Literal["challenge", "setup"]
    file: str


class RunCases(Record):
    """Options of the separated cases. `container` is the template; alias and interface are added for each case."""

    manifest: ManifestSource
    container: ContainerPlan
    limit: int | None = None


class RunSession(Record):
    """Options of a piped session."""

    manifest: ManifestSource
    solution: ContainerPlan
    evaluator: ContainerPlan
    limit_bytes: int
    transcript_bytes: int
    grace_s: float


class RunEvaluator(Record):
    """Options of an evaluator container that runs after the cases, or is all there is (coexecuted)."""

    container: ContainerPlan


class ReadResult(Record):
    """Options of reading what the evaluator wrote: `file` relative to the output place, sizes in bytes."""

    file: str
    max_bytes: int


class WorkerMount(Record):
    """A folder that the worker reads, at a path inside it. `place` names it; where it is on a machine is no business of
    a plan."""

    place: str
    target: str


HUB_PLACE = "hub"
WorkerSharing = tuple[bool, tuple[str, ...], str | None]
"""Of a worker: whether it has a network, the names of its secrets, and the path of its cache for the hub."""


class WorkerPlan(Record):
    """What the worker of a job needs. `secrets`: names of environment variables. `judges`: one of its own for these, so
    that a model without a network stays without."""

    network: Network
    secrets: tuple[str, ...]
    mounts: tuple[WorkerMount, ...]
    judges: WorkerPlan | None = None

    @property
    def hub(self) -> str | None:
        """The path of the cache for what the worker takes from the hub; None where it takes nothing from there."""
        return next((mount.target for mount in self.mounts if mount.place == HUB_PLACE), None)

    @property
    def sharing(self) -> WorkerSharing:
        """What two jobs have in common that share a worker."""
        return self.network == "enabled", self.secrets, self.hub

    def of(self, kind: Literal["model", "judges"]) -> WorkerPlan:
        """That of the model, or that of the judges."""
        return self if kind == "model" or self.judges is None else self.judges


class StageDefinition(Record):
    """One stage of a plan: `options` belong to the stage of that name, which validates them.

    `module`: the import path of a stage (`package.module` or `package.module:attribute`) that is used instead of the
    one registered under the name. `timeout_s`: seconds, for stages that run no container. Both are written where set.
    """

    name: str
    enabled: bool = True
    options: Annotated[dict[str, Any], BeforeValidator(_or_empty)] = Field(default_factory=dict)
    module: str | None = None
    timeout_s: float | None = Field(default=None, gt=0)

    @model_serializer(mode="wrap")
    def _without_what_is_not_set(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: item for key, item in written(self).items() if item is not None}


class ImageNeed(Record):
    """An image as the bundle declares it; the operator resolves it on each machine."""

    declared: str
    platform: str


class Plan(Record):
    """An evaluation of one solution on one target of one challenge, or (topology `model_worker`) of one model on one
    task: then `challenge_name` is the task's id and `target` the backend's type.

    `bindings`, `integration` and `worker` are written only where there are any: a plain plan says nothing of them.
    """

    schema_version: Literal["plan_v1"] = "plan_v1"
    challenge_name: str
    topology: Topology
    target: str
    mode: Mode
    trust: Trust
    accelerator: Literal["gpu"] | None
    gpu_count: int
    images: dict[Side, ImageNeed]
    stages: tuple[StageDefinition, ...]
    bindings: dict[str, JsonValue] = Field(default_factory=dict)
    integration: Integration = "cli_basic"
    worker: WorkerPlan | None = None

    @property
    def facts(self) -> TopologyFacts:
        return TOPOLOGY_FACTS[self.topology]

    @model_serializer(mode="wrap")
    def _without_what_a_plain_plan_lacks(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        unsaid = [name for name in _PLAIN if getattr(self, name) == _PLAIN[name]]
        return {key: value for key, value in written.items() if key not in unsaid}


_PLAIN: dict[str, object] = {"bindings": {}, "integration": "cli_basic", "worker": None}
