"""What the containers of a trial were given, read off its plan, and what was not as promised, read off its evidence.

Names places and paths inside containers, kinds of violations and aliases of cases: nothing of a host, and nothing that
an official evaluation's data is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentics import __version__
from agentics.model.evidence.trial_evidence import ContainerRecord, TrialEvidence
from agentics.model.plan.trial_plan import ContainerPlan, Network, Plan, WorkerPlan
from agentics.model.run.attestation import (
    Harness,
    InventoryMount,
    InventoryNetwork,
    InventoryViolations,
    NetworkMode,
    StateInventory,
)
from agentics.model.run.design import Integration


def state_inventory(plan: Plan, evidence: TrialEvidence, integration: Integration) -> StateInventory:
    if plan.worker is not None:
        return _of_a_worker(plan.worker)
    containers = tuple(planned_containers(plan))
    relaxed = relaxations(evidence)
    return StateInventory(
        sanitization_profile="relaxed" if relaxed else "hermetic",
        integration_level=integration,
        mounts=tuple(dict.fromkeys(_mounts(containers))),
        network=_network(containers, opened="network" in relaxed),
        harness_identity=Harness(version=__version__),
        violations=InventoryViolations(
            profile_invariant_violation=bool(relaxed),
            notes=(*(f"relaxed: {name}" for name in sorted(relaxed)), *_left(evidence)),
        ),
    )


def _of_a_worker(worker: WorkerPlan) -> StateInventory:
    """Its own folders, read-only; whether it is a container or a process, the trial's input says."""
    by_role: dict[str, Network] = {"model-worker": worker.network}
    if worker.judges is not None:
        by_role["judge-worker"] = worker.judges.network
    requested: NetworkMode = "full" if "enabled" in by_role.values() else "none"
    mounts = (
        InventoryMount(name=mount.place, path=mount.target, writable=False, role="model-worker")
        for mount in worker.mounts
    )
    network = InventoryNetwork(
        mode_requested=requested, mode_effective=requested, enforcement_effective="unknown", by_role=by_role
    )
    return StateInventory(
        sanitization_profile="hermetic",
        integration_level="cli_basic",
        mounts=tuple(mounts),
        network=network,
        harness_identity=Harness(version=__version__),
        violations=InventoryViolations(profile_invariant_violation=False, notes=()),
    )


def planned_containers(plan: Plan) -> Iterator[ContainerPlan]:
    """Every container of a plan, in the order of its stages."""
    for stage in plan.stages:
        for option in stage.options.values():
            if isinstance(option, dict) and {"role", "mounts", "argv"} <= option.keys():
                yield ContainerPlan.model_validate(option)


def observed_containers(evidence: TrialEvidence) -> Iterator[ContainerRecord]:
    yield from evidence.containers
    yield from (case.container for case in evidence.cases)


def relaxations(evidence: TrialEvidence) -> frozenset[str]:
    """What the operator had relaxed for any container that ran."""
    return frozenset(name for record in observed_containers(evidence) for name in record.relaxed)


def _mounts(containers: Iterable[ContainerPlan]) -> Iterator[InventoryMount]:
    for container in containers:
        for mount in container.mounts:
            yield InventoryMount(name=mount.place, path=mount.target, writable=mount.writable, role=container.role)


def _network(containers: Iterable[ContainerPlan], *, opened: bool) -> InventoryNetwork:
    by_role: dict[str, Network] = {}
    for container in containers:
        if by_role.get(container.role) != "enabled":
            by_role[container.role] = container.limits.network_access
    requested: NetworkMode = "full" if "enabled" in by_role.values() else "none"
    effective: NetworkMode = "full" if opened else requested
    return InventoryNetwork(
        mode_requested=requested,
        mode_effective=effective,
        enforcement_effective="docker_none" if effective == "none" else "unknown",
        by_role=by_role,
    )


def _left(evidence: TrialEvidence) -> Iterator[str]:
    for case in evidence.cases:
        if case.violation is not None:
            yield f"{case.alias}: {case.violation.kind}"
    if evidence.session is not None and evidence.session.violation is not None:
        yield f"session: {evidence.session.violation.kind}"
