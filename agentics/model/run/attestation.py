"""What a run says of itself when it ends: heads and digests of all it holds, how far it can be relied on, and what each
trial was given."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue, NonNegativeInt

from agentics.model.document.record import Record
from agentics.model.run.control import ReplayGrade
from agentics.model.run.design import Integration
from agentics.model.run.directory import Alteration, Digest
from agentics.model.run.outcome import UtcTimestamp

NetworkMode = Literal["none", "full"]


class Grades(Record):
    """`evidence` holds what each grade rests on, by grade; `notes` say why one is not the best."""

    schema_version: Literal["grades_v1"] = "grades_v1"
    integration_level: Integration
    replay_grade: ReplayGrade
    isolation_grade: Literal["hermetic", "bounded", "leaky"]
    comparability_grade: Literal["valid_paired", "valid_unpaired", "invalid", "unknown"]
    provenance_grade: Literal["attested", "recorded", "partial"]
    privacy_grade: Literal["redacted", "raw", "unknown"]
    evidence: dict[str, JsonValue] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


class TrialHead(Record):
    """`head`: the digest of the canonical JSON of the heads of all ledgers of the trial, by path."""

    trial_id: str
    head: Digest


class LedgerHead(Record):
    """How many lines a ledger has, and the digest of its last line."""

    lines: NonNegativeInt
    head: Digest


class Harness(Record):
    name: Literal["agentics"] = "agentics"
    version: str


class Redaction(Record):
    """Known secrets are taken out of every record before it is written. Bytes of participants are kept as they are."""

    records: bool = True
    participant_output: bool = False


class Attestation(Record):
    """attestation.json, written last by whoever changed the run. Paths are relative to the run directory.

    `documents` are the digests of every file that is truth and no ledger; `digest` is over the canonical JSON of all
    other keys. `alterations_accepted`: what somebody had altered before, and an operation was told to go on with.
    Nobody has signed it: it shows what was altered without care, and everything that was damaged.
    """

    schema_version: Literal["attestation_v1"] = "attestation_v1"
    run_id: str
    invocation_id: str
    attested_at: UtcTimestamp
    resolved_experiment_digest: Digest
    events_hashchain: tuple[TrialHead, ...]
    grades_summary: Grades
    ledgers: dict[str, LedgerHead]
    documents: dict[str, Digest]
    image_digest: str | None = None
    images: dict[str, str | None] = Field(default_factory=dict)
    """The digest of every image used, by its id; null for one that no registry knows."""
    sbom: str | None = None
    artifact_store_root: str = "artifacts/sha256"
    harness_identity: Harness
    hooks_schema_version: str | None = None
    trace_ingestion: str | None = None
    redaction: Redaction = Redaction()
    alterations_accepted: tuple[Alteration, ...] = ()
    digest: Digest


class InventoryMount(Record):
    """A place by its name, at a path inside the containers of that role. Never a path of the host."""

    name: str
    path: str
    writable: bool
    role: str


class SelfTestCase(Record):
    target: str
    expected: str
    observed: str
    ok: bool


class EgressSelfTest(Record):
    performed: bool = False
    cases: tuple[SelfTestCase, ...] = ()


class InventoryNetwork(Record):
    """`by_role`: what the plan gives each container that has one."""

    mode_requested: NetworkMode
    mode_effective: NetworkMode
    allowed_hosts: tuple[str, ...] = ()
    enforcement_effective: Literal["docker_none", "netns_iptables", "sidecar_proxy", "unknown"]
    egress_self_test: EgressSelfTest = EgressSelfTest()
    by_role: dict[str, Literal["disabled", "loopback", "enabled"]] = Field(default_factory=dict)


class InventoryViolations(Record):
    """`notes`: what participants left that the platform does not carry on, by case alias, and what was relaxed."""

    state_leak: bool = False
    profile_invariant_violation: bool = False
    notes: tuple[str, ...] = ()


class StateInventory(Record):
    """state_inventory.json of an attempt: everything its containers were given, and what was not as promised."""

    schema_version: Literal["state_inventory_v1"] = "state_inventory_v1"
    sanitization_profile: Literal["hermetic", "relaxed"]
    integration_level: Integration
    mounts: tuple[InventoryMount, ...]
    network: InventoryNetwork
    harness_identity: Harness
    violations: InventoryViolations = InventoryViolations()


DOCUMENTS: dict[str, type[Record]] = {
    "attestation": Attestation,
    "grades": Grades,
    "state_inventory": StateInventory,
}
