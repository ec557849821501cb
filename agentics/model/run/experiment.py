"""`resolved_experiment.json` (version 0.5): a request as it was understood, with everything that going on needs.

The names and enums are the contract's, also where this version honours one value only: `policy.experiments` says which.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, FiniteFloat, JsonValue

from agentics.model.document.record import Mode
from agentics.model.document.size_caps import EXPERIMENT, Cap
from agentics.model.document.strict_types import Document, List, Text, refuse
from agentics.model.run.design import Comparison, Integration, RetryOn, Scheduling
from agentics.model.run.directory import Digest
from agentics.model.run.outcome import DEFAULT_EXIT_POLICY, ExitPolicy

AtLeastOne = Annotated[int, Field(ge=1)]
EvidenceClass = Literal[
    "trial_input_ref",
    "trial_output_ref",
    "workspace_pre_ref",
    "workspace_post_ref",
    "diff_incremental_ref",
    "diff_cumulative_ref",
    "patch_incremental_ref",
    "patch_cumulative_ref",
    "stdout_ref",
    "stderr_ref",
    "hook_events_ref",
    "harness_request_ref",
    "harness_response_ref",
    "supplemental_refs",
]
"""The keys of an evidence record's `evidence`."""


class ExperimentName(Document):
    id: Text
    name: Text
    workload_type: str = "challenge_evaluation"
    description: str | None = None
    owner: str | None = None


class Dataset(Document):
    """`limit`: at most so many tasks. `split_id` is the mode."""

    path: str
    provider: str
    suite_id: str
    schema_version: str
    split_id: str
    limit: AtLeastOne


class RetryPart(Document):
    max_attempts: AtLeastOne = 1
    retry_on: List[RetryOn] = ()


class Prune(Document):
    max_consecutive_failures: AtLeastOne


class TaskBoundary(Document):
    require_workspace_materialization: bool = False


class Policies(Document):
    """`comparison` says the same as the design's own, where both say it."""

    scheduling: Scheduling = "variant_sequential"
    comparison: Comparison | None = None
    retry: RetryPart = RetryPart()
    pruning: Prune | None = None
    task_boundary: TaskBoundary | None = None


class DesignPart(Document):
    sanitization_profile: str
    comparison: Comparison
    replications: AtLeastOne
    random_seed: Annotated[int, Field(ge=0)]
    shuffle_tasks: bool
    max_concurrency: AtLeastOne
    policies: Policies = Policies()


class Variant(Document):
    """`bindings`: what the variant is given, and under `solution` the path of its solution."""

    variant_id: Text
    bindings: dict[str, JsonValue]


class BenchmarkPolicy(Document):
    task_model: Literal["independent", "dependent"] | None = None
    reset_strategy: Literal["per_trial", "per_chain", "never"] | None = None
    evaluator_mode: Literal["official", "custom"] | None = None
    scoring_lifecycle: Literal["predict_then_score", "integrated_score"] | None = None
    required_evidence_classes: List[EvidenceClass] = ()
    chain_failure_policy: Literal["stop_on_error", "continue_with_flag"] | None = None


class Adapter(Document):
    """The user's program: an argument vector, never a shell line. `timeout_s` is ours. `manifest`: a path."""

    command: Annotated[List[Text], Field(min_length=1)]
    manifest: str | None = None
    timeout_s: Annotated[FiniteFloat, Field(gt=0)] = 3600.0


def _said(value: object) -> object:
    if value is None:
        refuse("missing_key", "a benchmark needs a command: `adapter.command` is missing", hint="or leave it out")
    return value


def _without_null(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]


OrAbsent = (BeforeValidator(_said), Field(json_schema_extra=_without_null))
"""Of a benchmark that may be left out: null is a benchmark without a command."""


class BenchmarkPart(Document):
    policy: BenchmarkPolicy = BenchmarkPolicy()
    adapter: Adapter


class NetworkPart(Document):
    mode: Literal["none", "full", "allowlist_enforced"] = "none"
    allowed_hosts: List[str] = ()


class Hardening(Document):
    no_new_privileges: bool = True
    drop_all_caps: bool = True


class Resources(Document):
    cpu_count: FiniteFloat | None = None
    memory_mb: AtLeastOne | None = None


class SandboxPart(Document):
    mode: Literal["container", "local"] = "container"
    image: str | None = None
    root_read_only: bool = True
    run_as_user: str | None = None
    hardening: Hardening = Hardening()
    resources: Resources | None = None


class RuntimePolicy(Document):
    timeout_ms: AtLeastOne | None = None
    network: NetworkPart = NetworkPart()
    sandbox: SandboxPart = SandboxPart()


class RuntimePart(Document):
    agent: dict[str, JsonValue] | None = None
    dependencies: dict[str, JsonValue] | None = None
    policy: RuntimePolicy = RuntimePolicy()
    telemetry: dict[str, JsonValue] | None = None


class TaskDigests(Document):
    task: str
    bundle_digest: Digest
    overlay_digests: List[Digest] = ()


class NamedPath(Document):
    name: str | None = None
    path: str


class JobPart(Document):
    """A JobSpec that makes a variant: where it was, and the digest of what it said."""

    variant: str
    path: str
    digest: Digest


class RequestPart(Document):
    """What the other parts do not say and going on needs. Paths are absolute; `images`: pattern and local image."""

    bundles: List[str]
    jobspecs: List[JobPart] = ()
    overlays: List[NamedPath] = ()
    target: str | None = None
    mode: Mode
    tasks: List[str] = ()
    limit: int | None = None
    images: List[List[str]] = ()
    jobs: int | None = None
    exit_policy: ExitPolicy = DEFAULT_EXIT_POLICY
    fail_fast: bool = False
    integration: dict[str, Integration] = Field(default_factory=dict)
    trial_timeout_s: FiniteFloat | None = None


class Ext(Document):
    """Ours. `bundles`: paths, for a file that somebody wrote. `cases`: the limit on cases of a task."""

    tasks: List[TaskDigests] = ()
    cases: int | None = None
    solutions: dict[str, Digest] = Field(default_factory=dict)
    bundles: List[Text] = ()
    request: RequestPart | None = None


class ResolvedExperiment(Document):
    """Private: it names paths of this machine. Its digest stands in the manifest."""

    cap: ClassVar[Cap] = EXPERIMENT
    version: Literal["0.5"]
    experiment: ExperimentName
    dataset: Dataset
    design: DesignPart
    baseline: Variant
    variant_plan: List[Variant] = ()
    benchmark: Annotated[BenchmarkPart | None, *OrAbsent] = None
    runtime: RuntimePart = RuntimePart()
    ext: Ext = Ext()

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The baseline first."""
        return (self.baseline, *self.variant_plan)


DOCUMENTS: dict[str, type[Document]] = {"resolved_experiment": ResolvedExperiment}
