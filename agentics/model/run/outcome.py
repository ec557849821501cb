"""The machine-facing outcome of a run: run_outcome.json, run_summary.json and task_status.json, to the key.

Every one of them is a projection: it can be rebuilt from the trials, so nothing here is ever the only copy of a fact.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, FiniteFloat, JsonValue, NonNegativeInt, model_validator

from agentics.model.document.record import Fault, Mode, Record, Status, Trust

ExitPolicy = Literal["relaxed", "smoke", "strict"]
DEFAULT_EXIT_POLICY: ExitPolicy = "smoke"
"""What exit code 0 demands where nothing is said: a failed solution is not exit code 0."""

RunVerdict = Literal["passed", "degraded", "failed"]
Direction = Literal["maximize", "minimize"]

COMPLETED: frozenset[Status] = frozenset({"passed", "degraded", "skipped", "no_samples"})
NON_PASSING: frozenset[Status] = frozenset({"failed", "error", "pending", "skipped", "no_samples"})


def _moment(text: str) -> str:
    datetime.fromisoformat(text)  # raises ValueError for a 13th month
    return text


UtcTimestamp = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"), AfterValidator(_moment)]
"""UTC, RFC 3339, always with `Z`."""


class SampleSummary(Record):
    """How many samples (cases) there were and how they ended; null is "not known", never zero."""

    total_samples: NonNegativeInt | None = None
    valid_samples: NonNegativeInt | None = None
    error_count: NonNegativeInt | None = None
    error_rate: FiniteFloat | None = None
    invalid_response_rate: FiniteFloat | None = None
    connectivity_error_rate: FiniteFloat | None = None
    response_rate: FiniteFloat | None = None


class PrimaryMetric(Record):
    """`n` samples of `of` are in the value of a model's metric; null for other metrics."""

    metric_name: str
    value: FiniteFloat
    direction: Direction | None = None
    n: NonNegativeInt | None = None
    of: NonNegativeInt | None = None


class SubtaskRecord(Record):
    """One case, only where the evaluator may speak of it: public results of a validation, never an official case.
    `message`: the evaluator's own words on the case, cut to a length."""

    status: Status
    reason: str | None = None
    summary: SampleSummary = SampleSummary()
    score: FiniteFloat | None = None
    message: str | None = None


class LimitUsage(Record):
    """What the solution used, beside its limits: the longest of its runs, and the highest peak of memory. Times in
    seconds, of a run and not of the whole. In a shared container it is the evaluator's, too."""

    slowest_s: FiniteFloat
    time_limit_s: FiniteFloat
    memory_peak_bytes: NonNegativeInt | None = None
    memory_limit_bytes: NonNegativeInt


class ErrorDetails(Record):
    error_type: str
    traceback: str | None = None


class TaskFacts(Record):
    """What is said of one task of one variant, wherever it is said."""

    task: str
    status: Status
    reason: str | None = None
    summary: SampleSummary = SampleSummary()
    subtasks: dict[str, SubtaskRecord] = Field(default_factory=dict)
    updated_at: UtcTimestamp
    fault: Fault | None = None
    mode: Mode | None = None
    trust: Trust | None = None
    primary_metric: PrimaryMetric | None = None
    bundle_digest: str | None = None
    solution_digest: str | None = None
    scope: str | None = None
    trial_id: str | None = None
    attempts: NonNegativeInt = 0
    wall_s: FiniteFloat | None = None
    memory_peak_bytes: NonNegativeInt | None = None
    usage: LimitUsage | None = None
    detail: str | None = None
    """Of a skipped task: why, in words."""

    @model_validator(mode="after")
    def _official_cases_stay_hidden(self) -> Self:
        if self.mode == "official" and self.subtasks:
            msg = "subtasks of an official evaluation are not shown"
            raise ValueError(msg)
        return self


class TaskStatus(TaskFacts):
    """`<variant>/<task>/task_status.json`. `details` is for status error only."""

    schema_version: Literal["task_status_v1"] = "task_status_v1"
    details: ErrorDetails | None = None


class TaskRecord(TaskFacts):
    """One entry of `tasks` in run_outcome.json."""

    completed: bool
    task_output_dir: str
    diagnostics: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _completed_follows_from_the_status(self) -> Self:
        if self.completed != (self.status in COMPLETED):
            msg = f"completed={self.completed} contradicts status {self.status}"
            raise ValueError(msg)
        return self


class Counts(Record):
    """How many tasks have which status. The sums are checked, so an outcome that contradicts itself cannot be built."""

    requested_tasks: NonNegativeInt
    completed_tasks: NonNegativeInt
    passed_tasks: NonNegativeInt
    degraded_tasks: NonNegativeInt
    skipped_tasks: NonNegativeInt
    no_samples_tasks: NonNegativeInt
    pending_tasks: NonNegativeInt
    error_tasks: NonNegativeInt
    failed_tasks: NonNegativeInt
    non_passing_tasks: NonNegativeInt
    requested_subtasks: NonNegativeInt
    passed_subtasks: NonNegativeInt

    def of(self, status: Status) -> int:
        number: int = getattr(self, f"{status}_tasks")
        return number

    @model_validator(mode="after")
    def _sums_agree(self) -> Self:
        non_passing = sum(self.of(status) for status in NON_PASSING)
        completed = sum(self.of(status) for status in COMPLETED)
        sums = {
            "requested_tasks": (self.requested_tasks, non_passing + self.passed_tasks + self.degraded_tasks),
            "non_passing_tasks": (self.non_passing_tasks, non_passing),
            "completed_tasks": (self.completed_tasks, completed),
        }
        wrong = [f"{name} is {said}, the statuses give {is_}" for name, (said, is_) in sums.items() if said != is_]
        if self.passed_subtasks > self.requested_subtasks:
            wrong.append("more subtasks passed than were requested")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class Invocation(Record):
    """How the process was called, redacted."""

    argv: tuple[str, ...]
    cli_args: dict[str, JsonValue]
    cwd: str


class GitFacts(Record):
    """`available: true` with repo, commit and dirty; `available: false` alone, so the other keys are left out then."""

    available: Literal[True] = True
    repo: str
    commit: str | None
    dirty: bool


class NoGit(Record):
    available: Literal[False] = False


class ArtifactPath(Record):
    path: str
    exists: bool


class Artifacts(Record):
    """Where the files are; `exists` is the state after run_outcome.json was written."""

    model_output_dir: ArtifactPath
    run_outcome: ArtifactPath
    run_summary: ArtifactPath
    probe_report: ArtifactPath
    probe_summary: ArtifactPath
    log_file: ArtifactPath
    task_status_glob: str
    task_per_sample_metrics_glob: str
    task_performance_summary_glob: str


class ErrorRecord(Record):
    stage: Literal["pipeline_preflight", "task_execution", "interrupted"]
    error_type: str
    message: str
    traceback: str | None = None
    task: str | None = None


class Diagnostics(Record):
    """Sums over tasks: `counts` and `rates` by name, `run_samples` the cap on samples (`--limit`) or null."""

    counts: dict[str, int] = Field(default_factory=dict)
    run_samples: NonNegativeInt | None = None
    rates: dict[str, FiniteFloat] = Field(default_factory=dict)


class RunOutcome(Record):
    """run_outcome.json. `benchy_version` is the level of the outcome contract that is followed."""

    schema_version: Literal["1.0"] = "1.0"
    benchy_version: str = "1.0"
    agentics_version: str
    model: str
    run_id: str
    timestamp: UtcTimestamp
    started_at: UtcTimestamp
    ended_at: UtcTimestamp
    duration_s: Annotated[FiniteFloat, Field(ge=0)]
    status: RunVerdict
    exit_policy: ExitPolicy
    exit_code: NonNegativeInt
    counts: Counts
    tasks: dict[str, TaskRecord]
    invocation: Invocation
    git: GitFacts | NoGit
    artifacts: Artifacts
    errors: tuple[ErrorRecord, ...] = ()
    diagnostics: Diagnostics = Diagnostics()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if datetime.fromisoformat(self.started_at) > datetime.fromisoformat(self.ended_at):
            msg = f"started_at {self.started_at} is after ended_at {self.ended_at}"
            raise ValueError(msg)
        if any(ref != record.task for ref, record in self.tasks.items()):
            msg = "a key of tasks differs from the task that its record names"
            raise ValueError(msg)
        told = Counter(record.status for record in self.tasks.values())
        if self.counts.requested_tasks != len(self.tasks) or any(self.counts.of(s) != n for s, n in told.items()):
            msg = "counts differ from tasks"
            raise ValueError(msg)
        return self


class RunSummary(Record):
    """run_summary.json: the metrics of every task ever measured in this run, also by an earlier invocation."""

    schema_version: Literal["run_summary_v1"] = "run_summary_v1"
    model: str
    run_id: str
    timestamp: UtcTimestamp
    tasks: dict[str, dict[str, JsonValue]]
    diagnostics: Diagnostics = Diagnostics()


DOCUMENTS: dict[str, type[Record]] = {
    "run_outcome": RunOutcome,
    "run_summary": RunSummary,
    "task_status": TaskStatus,
}
