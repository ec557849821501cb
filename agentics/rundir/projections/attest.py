"""attestation.json: heads and digests of all that a run holds, and its grades, written when whoever changed it ends."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from agentics.content import sha256_of, sha256_of_file
from agentics.errors import StorageError
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.plan.trial_plan import Network, Plan
from agentics.model.run.attestation import Attestation, Harness, LedgerHead, TrialHead
from agentics.model.run.directory import Alteration, AlterationsAccepted, InvocationStarted, RunAttested
from agentics.model.run.experiment import ResolvedExperiment
from agentics.model.run.ledger import SlotCommit
from agentics.model.run.outcome import GitFacts
from agentics.policy.inventory import planned_containers, relaxations
from agentics.policy.run.grades import GradeFacts, TrialFacts, grades
from agentics.rundir.files import ledger, safe_files
from agentics.rundir.files.atomic import canonical_bytes, read_document, utc_now, write_document
from agentics.rundir.files.contents import RunFile, files
from agentics.rundir.files.layout import DERIVED, Layout
from agentics.rundir.open_run import OpenRun
from agentics.rundir.reader import RunView, TrialView, read_run

M = TypeVar("M", bound=BaseModel)

UNSEALED = "sha256:" + "0" * 64
DECIDED = frozenset({"success", "failure"})


def write_attestation(run: OpenRun) -> None:
    """The last thing that is written of an operation which changed the run: nothing that it covers may follow.

    The ledger of invocations gets its digest afterwards, so that an attestation that is gone or older is noticed.
    """
    with run.guard:
        run.artifacts.commit()
        made = attest(read_run(run.root), at=utc_now())
        write_document(run.layout.attestation, made)
        ledger.append(run.layout.invocations, RunAttested(digest=made.digest, at=made.attested_at))
        run.announced = False


def is_concluded(layout: Layout) -> bool:
    """Whether the attestation covers the run's present status: the process that set it came to its end."""
    attestation = _believed(layout.attestation, Attestation)
    name = layout.control.relative_to(layout.root).as_posix()
    return (
        attestation is not None
        and layout.control.is_file()
        and attestation.documents.get(name) == digest_of(layout.control)
    )


def attest(view: RunView, *, at: str) -> Attestation:
    """What the run holds now. Raises StorageError where it cannot be read."""
    started = newest_start(view)
    there = covered(view.layout, files(view.layout.root))
    heads = {file.path: _head(file) for file in there if file.kind == "truth" and file.form == "ledger"}
    images = _images(view)
    facts = Attestation(
        run_id=view.manifest.run_id,
        invocation_id=started.invocation_id,
        attested_at=at,
        resolved_experiment_digest=view.manifest.resolved_experiment.digest,
        events_hashchain=tuple(_trial_head(trial, heads) for trial in view.trials),
        grades_summary=grades(run_facts(view)),
        ledgers=heads,
        documents={file.path: digest_of(file.at) for file in there if is_attested(file)},
        image_digest=next(iter(images.values())) if len(images) == 1 else None,
        images=images,
        harness_identity=Harness(version=started.agentics_version),
        alterations_accepted=accepted(view.entries),
        digest=UNSEALED,
    )
    return facts.model_copy(update={"digest": seal_of(facts)})


def covered(layout: Layout, found: Iterable[RunFile]) -> tuple[RunFile, ...]:
    """The files that an attestation covers: not those of forks and replays that are not committed, which whoever makes
    one writes without the run's lock."""
    done = (entry for entry in ledger.believed(layout.journal, SlotCommit) if entry.record_type == "commit")
    committed = {layout.trial(entry.trial_id).root.parent for entry in done if entry.trial_id is not None}
    return tuple(file for file in found if _derived(layout, file) in {None, *committed})


def _derived(layout: Layout, file: RunFile) -> Path | None:
    """The directory of the fork or the replay that a file belongs to."""
    kind, _, rest = file.path.partition("/")
    return layout.root / kind / rest.partition("/")[0] if kind in DERIVED.values() else None


def accepted(entries: Iterable[BaseModel]) -> tuple[Alteration, ...]:
    """What the ledger of invocations says that somebody went on with although it was altered."""
    return tuple(each for entry in entries if isinstance(entry, AlterationsAccepted) for each in entry.alterations)


def is_attested(file: RunFile) -> bool:
    """Whether the attestation has the digest of a file itself: of truth that is no ledger."""
    return file.kind == "truth" and file.form != "ledger"


def seal_of(attestation: Attestation) -> str:
    """The digest over everything that an attestation says but this digest."""
    return digest_of_bytes(canonical_bytes(attestation.model_dump(mode="json", exclude={"digest"})))


def newest_start(view: RunView) -> InvocationStarted:
    started = next((e for e in reversed(view.entries) if isinstance(e, InvocationStarted)), None)
    if started is None:
        msg = f"{view.layout.invocations}: no invocation was recorded"
        raise StorageError(msg, code="damaged_file")
    return started


def digest_of(path: Path) -> str:
    """Of a regular file. Raises OSError, and StorageError (unsafe_file) when it is anything else."""
    with os.fdopen(safe_files.open_file(path), "rb") as file:
        return sha256_of_file(file)


def digest_of_bytes(data: bytes) -> str:
    return sha256_of(data)


def run_facts(view: RunView) -> GradeFacts:
    """What grades rest on. A file that is damaged counts as missing."""
    found = _believed(view.layout.resolved, ResolvedExperiment)
    started = newest_start(view)
    return GradeFacts(
        comparison=found.design.comparison if found else "none",
        clean_commit=isinstance(started.git, GitFacts) and bool(started.git.commit) and not started.git.dirty,
        trials=tuple(_trial_facts(trial) for trial in view.trials),
        accepted=len(accepted(view.entries)),
    )


def _trial_facts(trial: TrialView) -> TrialFacts:
    evidence, plan = _evidence(trial), _believed(_newest(trial) / "plan.json", Plan)
    scope = trial.metadata.scope
    return TrialFacts(
        variant=trial.ids.variant_id,
        task=trial.ids.task_id,
        repl_idx=trial.ids.repl_idx,
        integration=trial.metadata.runtime.integration_level,
        scope=scope,
        mode=scope.mode,
        trust=evidence.trust if evidence else "isolated",
        networks=_networks(plan),
        relaxed=relaxations(evidence) if evidence else frozenset(),
        images={use.id: use.digest for use in evidence.images.values()} if evidence else {},
        decided=trial.result is not None and trial.result.outcome in DECIDED,
        evidenced=evidence is not None,
    )


def _networks(plan: Plan | None) -> dict[str, Network]:
    found: dict[str, Network] = {}
    for container in planned_containers(plan) if plan else ():
        if found.get(container.role) != "enabled":
            found[container.role] = container.limits.network_access
    return found


def _images(view: RunView) -> dict[str, str | None]:
    seen = map(_evidence, view.trials)
    return {use.id: use.digest for evidence in seen if evidence for use in evidence.images.values()}


def _newest(trial: TrialView) -> Path:
    return trial.root / "attempts" / str(trial.attempts)


def _evidence(trial: TrialView) -> TrialEvidence | None:
    return _believed(_newest(trial) / "evidence.json", TrialEvidence)


def _believed(path: Path, model: type[M]) -> M | None:
    with suppress(StorageError):
        return read_document(path, model)
    return None


def _head(file: RunFile) -> LedgerHead:
    lines, head = ledger.heads(file.at)
    return LedgerHead(lines=lines, head=head)


def _trial_head(trial: TrialView, heads: Mapping[str, LedgerHead]) -> TrialHead:
    return TrialHead(trial_id=trial.ids.trial_id, head=chain_head(trial.ids.trial_id, heads.items()))


def chain_head(trial_id: str, heads: Iterable[tuple[str, LedgerHead]]) -> str:
    """One digest for all ledgers of a trial."""
    own = {path: head.head for path, head in heads if path.startswith(f"trials/{trial_id}/")}
    return digest_of_bytes(canonical_bytes({**own}))
