"""What was observed of one trial: exits, times, peaks, digests, outputs. Facts only; nobody is blamed here."""

from __future__ import annotations

from typing import Literal

from agentics.model.bundle.evaluator_result import Result
from agentics.model.document.record import ArtifactRef, Mode, Record, Trust
from agentics.model.evidence.machine_load import MachineLoad
from agentics.model.evidence.setup_record import SetupRecord
from agentics.model.job.job_result import JobFailure, JobResult
from agentics.model.job.worker_protocol import Environment, EvaluationReport, TaskReady
from agentics.model.plan.trial_plan import TOPOLOGY_FACTS, Topology, TopologyFacts

UserMode = Literal["own", "operator", "namespace"]
"""The users that containers run as. `own`: users that only agentics has, one for each participant's container.
`operator`: the user who runs agentics. `namespace`: the user 0 of a rootless engine, who is its owner outside."""
Speaker = Literal["solution", "evaluator"]
ScriptPhase = Literal["setup", "build", "run"]


class ImageUse(Record):
    """`declared` is what the bundle names, `used` what the operator resolved it to."""

    declared: str
    declared_platform: str
    used: str
    id: str
    digest: str | None
    platform: str
    substituted: bool


class NetworkUse(Record):
    """What the operator's [network] gave to a container that declared network. `names`: of environment variables;
    `digest`: of names and values, without passwords; `ca_digest`: of the CA bundle, None where there was none."""

    names: tuple[str, ...]
    digest: str
    ca_digest: str | None = None


class HostCheck(Record):
    """Whether a container of ours could reach a host after a stage with network had failed. `reached` None: its image
    has no program to try it with. `detail`: why the host could not be reached."""

    stage: str
    host: str
    port: int | None
    reached: bool | None
    detail: str = ""


class UsedUp(Record):
    """A resource of a shared container of which the solution held more than its half, or all that it may have:
    `tmp_bytes`, `shm_inodes`, `processes`, …"""

    resource: str
    used: int
    limit: int


class SharedUse(Record):
    """What the supervisor of a shared container reported. `runs`: commands that it ran as the solution's user; none
    means that all code of the solution ran as the evaluator. `log_ref`: what these commands wrote to the streams of
    the evaluator that they were given, with a cap. `left_behind`: None where the container ended before the report.
    `users_apart`: false where the kernel shows users each other's processes; then no command was run."""

    runs: int = 0
    refused: int = 0
    users_apart: bool = True
    left_behind: bool | None = None
    used_up: tuple[UsedUp, ...] = ()
    log_ref: ArtifactRef | None = None
    log_bytes: int = 0
    log_truncated: bool = False


class ContainerRecord(Record):
    """How one container ended. Times in seconds, sizes in bytes; `None` is "not measured on this engine"."""

    stage: str
    role: str
    image_id: str
    ended: Literal["exited", "timed_out", "out_of_memory", "output_limit", "disk_limit", "killed"]
    exit_code: int
    signal: int | None
    oom_killed: bool
    started_at: str
    finished_at: str
    wall_s: float
    cpu_s: float | None
    memory_peak_bytes: int | None
    pids_peak: int | None
    timeout_s: float
    memory_limit_bytes: int
    log_ref: ArtifactRef | None = None
    log_bytes: int = 0
    log_truncated: bool = False
    relaxed: tuple[str, ...] = ()
    runtime: str = ""
    """The engine's name of what ran it."""
    kernel: Literal["shared", "own"] | None = None
    """`own`: its system calls were not answered by the engine's kernel. None: it was not looked at."""
    user: str = ""
    """Who ran its first process: `<uid>:<gid>`."""
    user_mode: UserMode = "own"
    paused_s: float = 0.0
    network: NetworkUse | None = None
    """None where it had no network, or only by a relaxation of its image."""
    shared: SharedUse | None = None
    """Of a container that solution and evaluator share."""

    @property
    def clean(self) -> bool:
        """Ended by itself with exit code 0."""
        return self.ended == "exited" and self.exit_code == 0


class Violation(Record):
    """What a participant left that the platform does not carry on: `kind` is link, too_many_files, disk_limit, …"""

    kind: str
    detail: str


class OutputFile(Record):
    """One file that a case left, by content."""

    path: str
    size_bytes: int
    ref: ArtifactRef
    executable: bool = False


class KeptPart(Record):
    """A file of which a part is kept for people to read. `size_bytes`: of the whole file; `ref`: the part that is kept,
    None where nothing is."""

    path: str
    size_bytes: int
    ref: ArtifactRef | None = None


class Script(Record):
    """A script that the solution declares. `head`: the first characters of it, as text."""

    phase: ScriptPhase
    path: str
    head: str


class Checkpoint(Record):
    """What a case left to go on from. `step` and `label` are the solution's own words; with a violation there are no
    files. `run_name` only in validation: what official cases are called is private."""

    schema_version: Literal["checkpoint_v1"] = "checkpoint_v1"
    alias: str
    run_name: str | None
    name: str
    step: int | None = None
    label: str | None = None
    files: tuple[OutputFile, ...] = ()
    violation: Violation | None = None

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(file.ref for file in self.files)


class CaseListing(Record):
    """All that a case left, where not all of it is kept: how many files and empty directories, the bytes of their
    content and of their paths. `digest`: `sha256:` over a line of compact JSON for each, in the order of the paths:
    [path, size, sha256, executable] of a file, then [path] of an empty directory."""

    files: int
    folders: int
    size_bytes: int
    name_bytes: int
    digest: str


class CaseRecord(Record):
    """One case of a separated evaluation. `folders` are the empty directories that it left; `restored`: it ran in an
    earlier attempt. `events_problem`: why there is no `events_ref` although the solution left something there.

    `given`: `stdin.txt` and the files below `input/`; the heads of them are kept in a validation only. `tails`: the
    ends of `stdout.txt` and `stderr.txt`, where they are not in `files`: a violation keeps everything out of that.
    `listing`: where the case left more than the operator's `[evidence]` keeps; then `files` and `folders` are a part,
    and the case can be neither restored nor regraded."""

    run_name: str
    alias: str
    interface: str
    container: ContainerRecord
    violation: Violation | None = None
    files: tuple[OutputFile, ...] = ()
    folders: tuple[str, ...] = ()
    listing: CaseListing | None = None
    given: tuple[KeptPart, ...] = ()
    tails: tuple[KeptPart, ...] = ()
    place_kind: str
    restored: bool = False
    events_ref: ArtifactRef | None = None
    events_problem: str | None = None
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def clean(self) -> bool:
        return self.container.clean and self.violation is None

    @property
    def refs(self) -> tuple[str, ...]:
        """Every artifact that it names."""
        lone = (ref for ref in (self.container.log_ref, self.events_ref) if ref is not None)
        parts = (part.ref for part in (*self.given, *self.tails) if part.ref is not None)
        kept = (ref for each in self.checkpoints for ref in each.refs)
        return (*lone, *(f.ref for f in self.files), *parts, *kept)


class SessionRecord(Record):
    """One piped session."""

    session_name: str
    solution: ContainerRecord
    evaluator: ContainerRecord
    first_to_end: Speaker
    first_to_fail: Speaker | None
    evaluator_waiting: bool
    solution_bytes: int
    evaluator_bytes: int
    transcript_ref: ArtifactRef | None
    transcript_truncated: bool
    violation: Violation | None = None
    events_ref: ArtifactRef | None = None
    events_problem: str | None = None


class ResultReading(Record):
    """What became of the evaluator's result file. `problem` is None exactly when `result` is there."""

    result: Result | None = None
    ref: ArtifactRef | None = None
    problem: str | None = None
    detail: str | None = None


class Trouble(Record):
    """Why a trial stopped before a result: the stage, a reason code, and whose it is by the stage's nature."""

    stage: str
    code: str
    message: str
    fault: Literal["participant", "challenge", "infrastructure", "user"]
    retryable: bool = False


class Submission(Record):
    """What evaluators are told of the solution, as `submission.json`. Its keys are the bundle contract's."""

    schema_version: Literal[1] = 1
    solution_submission_id: str
    artifact_zip_bytes: int
    artifact_uncompressed_bytes: int
    artifact_file_count: int
    artifact_sha256: str


class JobFacts(Record):
    """What was observed of a model on a task: what the worker is, what it loaded, and what came out of the answers.
    `details_ref`: the details as Parquet; `failures`: what a server, a judge or a plugin said where it failed."""

    environment: Environment | None = None
    ready: TaskReady | None = None
    report: EvaluationReport | None = None
    result: JobResult | None = None
    details_ref: ArtifactRef | None = None
    failures: tuple[JobFailure, ...] = ()


class TrialEvidence(Record):
    """Everything observed of one attempt at one trial. `submission` and `scripts` are there once the solution was laid
    out; `setup` where what the challenge's setup left may be kept, or was made by an earlier attempt; `job` is that of
    a model."""

    topology: Topology
    mode: Mode
    target: str
    trust: Trust
    images: dict[str, ImageUse]
    submission: Submission | None = None
    scripts: tuple[Script, ...] = ()
    containers: tuple[ContainerRecord, ...] = ()
    setup: SetupRecord | None = None
    cases: tuple[CaseRecord, ...] = ()
    cases_expected: int | None = None
    session: SessionRecord | None = None
    reading: ResultReading | None = None
    job: JobFacts | None = None
    trouble: Trouble | None = None
    worker_network: NetworkUse | None = None
    """Of a model's worker with network."""
    host_checks: tuple[HostCheck, ...] = ()
    load: MachineLoad | None = None

    @property
    def facts(self) -> TopologyFacts:
        return TOPOLOGY_FACTS[self.topology]
