"""The stage contract: `run(context, options)` returns the next context or a failure that still carries the context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from agentics.model.evidence import CaseRecord, ContainerRecord, TrialEvidence, Trouble
from agentics.pipeline.bench import Bench


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is known so far. Stages return a changed copy; `bench` is what they work with, and is not data."""

    bench: Bench
    evidence: TrialEvidence
    completed: tuple[str, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)

    def with_container(self, record: ContainerRecord) -> Context:
        return replace(
            self, evidence=self.evidence.model_copy(update={"containers": (*self.evidence.containers, record)})
        )

    def with_cases(self, cases: tuple[CaseRecord, ...]) -> Context:
        return self.with_evidence(cases=cases)

    def with_evidence(self, **changes: object) -> Context:
        return replace(self, evidence=self.evidence.model_copy(update=changes))


@dataclass(frozen=True, kw_only=True)
class StageFailure:
    """A stage stopped the trial: why, and everything that was known when it did."""

    trouble: Trouble
    context: Context


class Stage(Protocol):
    """One thing that a plan can ask for. `options` is what the plan holds for it, unvalidated."""

    @property
    def name(self) -> str:
        """What plans call it."""

    def run(self, context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
        """Raises EngineError when the engine, not a program inside it, fails."""
