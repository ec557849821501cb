"""One run directory, open for writing: made or continued under its lock, and recovered from whoever died in it."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from agentics.content import sha256_of
from agentics.errors import Refused, UsageError
from agentics.model.bundle.public_challenge import PublicChallenge
from agentics.model.run.directory import (
    DigestOnly,
    InvocationEnded,
    InvocationStarted,
    Manifest,
    RunControl,
    RunStatus,
    TaskSkipped,
    TrialMetadata,
    TrialState,
)
from agentics.model.run.outcome import ErrorRecord, ExitPolicy, GitFacts, Invocation, NoGit
from agentics.policy.publish.redact import Redactor
from agentics.rundir.files import ledger, lock, names, safe_files
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.files.atomic import (
    canonical_bytes,
    document_bytes,
    make_directory,
    read_document,
    utc_now,
    write_bytes,
    write_document,
)
from agentics.rundir.files.layout import Layout
from agentics.rundir.files.lease import take_engine_lease
from agentics.rundir.integrity.guard import admit
from agentics.rundir.integrity.trust import INVOCATION, seal
from agentics.rundir.open_run import ENTRIES, OpenRun, SlotKey, transition, transition_trial
from agentics.rundir.recover import recover

_HALF_MADE = frozenset(
    {"runtime", "trials", "artifacts", "public", "resolved_experiment.json", "resolved_experiment.digest"}
)
"""What can lie in a run directory before its manifest does."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What one invocation asks of a run. `requested` maps a variant's directory to its task references; `redactor`
    knows the secrets of this invocation, and everything written about it goes through it; `public_challenges` is what
    everybody may see of each challenge, by name."""

    variants: Mapping[str, str]
    requested: Mapping[str, tuple[str, ...]]
    exit_policy: ExitPolicy
    invocation: Invocation
    git: GitFacts | NoGit
    agentics_version: str
    limit: int | None = None
    replications: int = 1
    operation: str = "eval"
    redactor: Redactor = field(default_factory=Redactor)
    public_challenges: Mapping[str, PublicChallenge] = field(default_factory=dict)


def open_run(
    base: Path,
    run_id: str,
    *,
    operation: str = "eval",
    fresh: bool = False,
    force: bool = False,
    accept_alterations: bool = False,
) -> OpenRun:
    """The run `run_id` below `base`, made if it is not there, else continued; with `fresh`, only made.

    Raises UsageError for a bad id or a directory that is not a run, Refused when another process has it (run_locked),
    another host's lease has not run out (run_owner_alive; `force` takes it over), a fresh one is there (run_exists),
    or it was altered (RunAltered; `accept_alterations` records that, and goes on).
    """
    layout = Layout(safe_files.real(base) / names.check_run_id(run_id))
    _check_ours(layout)
    safe_files.check_tree(layout.root)
    if fresh and layout.root.exists():
        msg = f"run {run_id} is there already: {layout.root}"
        raise Refused(msg, code="run_exists", hint="give it another --run-id, or go on with `agentics run continue`")
    make_directory(layout.runtime)
    held = lock.acquire(layout.lock, operation)
    try:
        # Controllers of other users (root) find these made: whoever makes them owns them, and this process needs them.
        for place in (layout.trials, layout.artifacts, layout.public, layout.requests):
            make_directory(place)
        lock.make(layout.control_lock)
        for private in (layout.runtime, layout.trials, layout.artifacts.parent):
            private.chmod(0o700)  # evidence of an official evaluation is its operator's alone
        lease = take_engine_lease(layout, run_id, force=force)
    except BaseException:
        held.release()
        raise
    run = OpenRun(layout, run_id, ArtifactStore(layout.artifacts), held, lease, operation=operation)
    try:
        admit(run, accept=accept_alterations)
        recover(run)
    except BaseException:
        run.close()
        raise
    return run


def begin(run: OpenRun, request: RunRequest, resolved: Mapping[str, JsonValue]) -> str:
    """Record that an invocation starts, and what it asks for; its id. Nothing has run before this returns."""
    _check_request(run, request)
    run.redactor = request.redactor
    experiment = canonical_bytes(dict(run.redactor.mapping(resolved)))
    ref = run.artifacts.put(experiment)
    public = {name: run.artifacts.put(document_bytes(shown)) for name, shown in request.public_challenges.items()}
    run.artifacts.commit()
    invocation_id = secrets.token_hex(8)
    entry = InvocationStarted(
        invocation_id=invocation_id,
        started_at=utc_now(),
        pid=os.getpid(),
        host=socket.gethostname(),
        agentics_version=request.agentics_version,
        exit_policy=request.exit_policy,
        variants=dict(request.variants),
        requested=dict(request.requested),
        invocation=_redacted(run.redactor, request.invocation),
        git=request.git,
        resolved_experiment_ref=ref,
        limit=request.limit,
        replications=request.replications,
        operation=request.operation,
        public_challenges=public,
        seal=seal(INVOCATION, run.run_id, invocation_id, ref),
    )
    with run.guard:
        run.announce()
        _write_experiment(run, entry, experiment)
        for variant in request.variants:
            make_directory(run.layout.variant(variant))
        ledger.append(run.layout.invocations, entry)
        transition(run, to="running")
    return entry.invocation_id


def skip(run: OpenRun, invocation_id: str, slot: SlotKey, reason: str, detail: str | None = None) -> None:
    """Record that a requested slot gets no trial, and why: as a code, and in words."""
    variant, task, repl = slot
    entry = TaskSkipped(
        invocation_id=invocation_id,
        variant=variant,
        task=task,
        repl_idx=repl,
        reason=reason,
        detail=detail,
        at=utc_now(),
    )
    with run.guard:
        ledger.append(run.layout.invocations, entry)


def end(
    run: OpenRun,
    invocation_id: str,
    to: RunStatus | None,
    *,
    duration_s: float,
    fatal: int | None = None,
    errors: tuple[ErrorRecord, ...] = (),
) -> None:
    """Record how an invocation ended. `fatal`: the exit status that overrides the policy. `to` None: the run's status
    is set by itself."""
    entry = InvocationEnded(
        invocation_id=invocation_id,
        ended_at=utc_now(),
        duration_s=round(max(0.0, duration_s), 6),
        fatal=fatal,
        errors=tuple(_without_secrets(run.redactor, error) for error in errors),
    )
    with run.guard:
        ledger.append(run.layout.invocations, entry)
        if to is not None:
            conclude(run, to)


def conclude(run: OpenRun, to: RunStatus) -> None:
    """The run's status at the end of an invocation. What is made of the run is written before: a run that says it is
    completed has its outcomes."""
    control = read_document(run.layout.control, RunControl)
    if control is not None and control.status == "paused":
        transition(run, to="running")  # what was frozen is over: it was stopped, or the process failed
    transition(run, to=to)


def kill(run: OpenRun) -> None:
    """End the run for good. Nothing of it runs any more, and trials that stand paused are over too."""
    with run.guard:
        control = read_document(run.layout.control, RunControl)
        for trial_id in control.active_trials if control is not None else ():
            place = run.layout.trial(trial_id)
            state, metadata = read_document(place.state, TrialState), read_document(place.metadata, TrialMetadata)
            if state is not None and metadata is not None and state.status == "paused":
                transition_trial(run, metadata.ids, to="killed", attempt=state.attempt, exit_reason="killed_by_user")
        if control is None or control.status not in {"running", "paused"}:
            transition(run, to="running")
        transition(run, to="killed")


def _redacted(redactor: Redactor, call: Invocation) -> Invocation:
    return Invocation(
        argv=redactor.argv(call.argv), cli_args=redactor.mapping(call.cli_args), cwd=redactor.text(call.cwd)
    )


def _without_secrets(redactor: Redactor, error: ErrorRecord) -> ErrorRecord:
    trace = redactor.text(error.traceback) if error.traceback is not None else None
    return error.model_copy(update={"message": redactor.text(error.message), "traceback": trace})


def _check_ours(layout: Layout) -> None:
    root = layout.root
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        msg = f"{root} is not a directory of its own"
        raise UsageError(msg, code="not_a_run", hint="choose another --run-id or --output-path")
    if not root.exists() or layout.manifest.exists():
        return
    foreign = sorted(p.name for p in root.iterdir() if p.name not in _HALF_MADE and not p.name.startswith(".staging-"))
    if foreign:
        msg = f"{root} exists, and is not a run directory (it holds {foreign[0]!r})"
        raise UsageError(msg, code="not_a_run", hint="choose another --run-id or --output-path")


def _check_request(run: OpenRun, request: RunRequest) -> None:
    control = read_document(run.layout.control, RunControl)
    if control is not None and control.status == "killed":
        msg = f"run {run.run_id} was killed, which is final"
        raise Refused(msg, code="run_killed", hint="give this evaluation another --run-id")
    if (
        not request.requested
        or not all(request.requested.values())
        or request.requested.keys() != request.variants.keys()
    ):
        msg = "no task was asked for"
        raise UsageError(msg, code="no_tasks")
    entries = ledger.read(run.layout.invocations, ENTRIES)
    for earlier in (e for e in entries if isinstance(e, InvocationStarted)):
        for directory, name in request.variants.items():
            if earlier.variants.get(directory, name) != name:
                msg = f"variants {earlier.variants[directory]!r} and {name!r} would share the directory {directory}"
                raise UsageError(msg, code="variant_collision", hint="give one of them another name")


def _write_experiment(run: OpenRun, entry: InvocationStarted, experiment: bytes) -> None:
    digest = sha256_of(experiment)
    before = read_document(run.layout.manifest, Manifest)
    places = {run.layout.resolved: experiment, run.layout.resolved_digest: f"{digest}\n".encode()}
    written = all(safe_files.is_file(place) and safe_files.read_file(place) == data for place, data in places.items())
    if before is not None and before.resolved_experiment.digest == digest and written:
        return
    for place, data in places.items():
        write_bytes(place, data)
    manifest = Manifest(
        run_id=run.run_id,
        created_at=before.created_at if before else entry.started_at,
        runner_version=entry.agentics_version,
        resolved_experiment=DigestOnly(digest=digest),
        git=entry.git,
    )
    write_document(run.layout.manifest, manifest)
