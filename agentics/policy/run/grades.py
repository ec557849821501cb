"""How far a run can be relied on, as six grades with their reasons. Pure: from facts to grades."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import JsonValue

from agentics.model.document.record import Mode, Trust
from agentics.model.plan.trial_plan import UNTRUSTED, Network
from agentics.model.run.attestation import Grades
from agentics.model.run.control import ReplayGrade
from agentics.model.run.design import Comparison, Integration
from agentics.model.run.directory import Scope

_REPLAY: dict[Integration, ReplayGrade] = {"sdk_full": "strict", "sdk_control": "checkpointed"}
_PHASES = frozenset({"setup", "build"})
"""Of untrusted containers, those that run before anything is measured."""


@dataclass(frozen=True, kw_only=True)
class TrialFacts:
    """One trial, as its newest attempt shows it. `networks` by container role; `images`: digest by image id."""

    variant: str
    task: str
    repl_idx: int
    integration: Integration
    scope: Scope
    mode: Mode
    trust: Trust
    networks: Mapping[str, Network]
    relaxed: frozenset[str]
    images: Mapping[str, str | None]
    decided: bool
    """It came to a verdict."""
    evidenced: bool
    """What was observed is there."""


@dataclass(frozen=True, kw_only=True)
class GradeFacts:
    comparison: Comparison
    clean_commit: bool
    """The run was started in a git repository whose working tree was its commit."""
    trials: Sequence[TrialFacts] = field(default_factory=tuple)
    accepted: int = 0
    """Alterations of its directory that somebody went on with."""


@dataclass
class _Grades:
    """The reasons, while grades are given."""

    evidence: dict[str, JsonValue] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, grade: str, why: str) -> None:
        self.notes.append(f"{grade}: {why}")


def grades(facts: GradeFacts) -> Grades:
    """A run is as good as its worst trial."""
    book = _Grades()
    levels: list[Integration] = [trial.integration for trial in facts.trials]
    lowest: Integration = "cli_basic"
    level = min(levels, key=get_args(Integration).index) if levels else lowest
    return Grades(
        integration_level=level,
        replay_grade=_replay(facts, level, book),
        isolation_grade=_isolation(facts.trials, book),
        comparability_grade=_comparability(facts, book),
        provenance_grade=_provenance(facts, book),
        privacy_grade=_privacy(facts.trials, book),
        evidence=book.evidence,
        notes=tuple(book.notes),
    )


def _replay(facts: GradeFacts, level: Integration, book: _Grades) -> ReplayGrade:
    if not any(trial.evidenced for trial in facts.trials):
        book.note("replay", "there is no finished trial to replay")
        return "none"
    return _REPLAY.get(level, "best_effort")


def _isolation(trials: Sequence[TrialFacts], book: _Grades) -> Literal["hermetic", "bounded", "leaky"]:
    networks = sorted({f"{role}={network}" for t in trials for role, network in t.networks.items()})
    relaxed = sorted({name for t in trials for name in t.relaxed})
    book.evidence["isolation"] = {"networks": [*networks], "relaxed": [*relaxed]}
    open_roles = {role for t in trials for role, network in t.networks.items() if network == "enabled"}
    measured = sorted(open_roles & (UNTRUSTED - _PHASES))
    if relaxed:
        book.note("isolation", f"relaxed by the operator: {', '.join(relaxed)}")
    if measured:
        book.note("isolation", "a solution had network while it was measured")
    if relaxed or measured:
        return "leaky"
    if open_roles:
        book.note("isolation", f"network in {', '.join(sorted(open_roles))}")
    shared = any(t.trust == "shared_container" for t in trials)
    if shared:
        book.note("isolation", "solution and evaluator shared a container")
    return "bounded" if open_roles or shared else "hermetic"


def _comparability(facts: GradeFacts, book: _Grades) -> Literal["valid_paired", "valid_unpaired", "invalid", "unknown"]:
    variants = sorted({trial.variant for trial in facts.trials})
    seen: dict[str, JsonValue] = {"comparison": facts.comparison, "variants": len(variants)}
    book.evidence["comparability"] = seen
    if facts.comparison == "none" or len(variants) < 2:  # noqa: PLR2004 - a pair
        book.note("comparability", "nothing was to be compared")
        return "unknown"
    differing = sorted(task for task, scopes in _by_task(facts.trials).items() if len(scopes) > 1)
    if differing:
        book.note("comparability", f"{', '.join(differing)}: not under the same conditions for every variant")
        return "invalid"
    slots = {name: {(t.task, t.repl_idx) for t in facts.trials if t.variant == name and t.decided} for name in variants}
    if facts.comparison == "unpaired":
        empty = sorted(name for name, decided in slots.items() if not decided)
        if empty:
            book.note("comparability", f"no verdict for {', '.join(empty)}")
        return "invalid" if empty else "valid_unpaired"
    first, *others = slots.values()
    pairs = first.intersection(*others)
    lone = first.union(*others) - pairs
    seen.update({"pairs": len(pairs), "without_pair": len(lone)})
    if not pairs:
        book.note("comparability", "no slot has a verdict for every variant")
        return "invalid"
    if lone:
        book.note("comparability", f"{len(lone)} slots have no verdict for some variant, and are no pairs")
    return "valid_paired"


def _by_task(trials: Iterable[TrialFacts]) -> dict[str, set[str]]:
    """Of each task, the conditions it was evaluated under: its scope without what a variant is."""
    found: dict[str, set[str]] = {}
    for trial in trials:
        config = {k: v for k, v in trial.scope.config.items() if k not in {"bindings", "integration"}}
        same = trial.scope.model_copy(update={"solution_digest": "", "config": config})
        found.setdefault(trial.task, set()).add(same.model_dump_json())
    return found


def _provenance(facts: GradeFacts, book: _Grades) -> Literal["attested", "recorded", "partial"]:
    images = {image: digest for trial in facts.trials for image, digest in trial.images.items()}
    lacking = sum(not trial.evidenced for trial in facts.trials)
    loose = sorted(image for image, digest in images.items() if digest is None)
    book.evidence["provenance"] = {
        "trials": len(facts.trials),
        "without_evidence": lacking,
        "images_without_digest": [*loose],
        "clean_commit": facts.clean_commit,
    }
    if facts.accepted:
        book.note("provenance", f"{facts.accepted} alterations of the run directory were accepted")
    if lacking or not facts.trials:
        book.note("provenance", f"{lacking} of {len(facts.trials)} trials left no evidence")
    if lacking or not facts.trials or facts.accepted:
        return "partial"
    if loose:
        book.note("provenance", "images that no registry knows by digest were used")
    if not facts.clean_commit:
        book.note("provenance", "not started from a clean git commit")
    return "recorded" if loose or not facts.clean_commit else "attested"


def _privacy(trials: Sequence[TrialFacts], book: _Grades) -> Literal["redacted", "raw", "unknown"]:
    if not trials:
        return "unknown"
    if any(trial.mode == "official" for trial in trials):
        book.note("privacy", "evidence of an official evaluation may quote private data: only public/ is for others")
        return "raw"
    return "redacted"
