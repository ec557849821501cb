"""The stage contract: `run(context, options)` returns the next context, or a failure that still carries the context."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from agentics.errors import StopFlag, Terminated, UsageError
from agentics.model.document.record import Fault
from agentics.model.evidence.trial_evidence import (
    CaseRecord,
    ContainerRecord,
    TrialEvidence,
    Trouble,
)
from agentics.model.plan.pipeline import Experiment
from agentics.pipeline.contract.trace import Trace

COMPLETED = "completed_stages"
_MAPS = ("metrics", "artifacts", "telemetry_context", "assigns")
"""The fields of a context that nobody can write to."""


class Interrupted(Exception):
    """Somebody asked the run to stop. Not an error, and never a verdict."""


def reraise_interrupt(error: BaseException) -> None:
    """Raise Terminated again, and a KeyboardInterrupt that can be a person's Ctrl-C: one in the main thread, where
    Python's own handler makes it of the signal. Every other exception is the stage's."""
    by_python = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if isinstance(error, KeyboardInterrupt) and by_python and threading.current_thread() is threading.main_thread():
        raise error
    if isinstance(error, Terminated):
        raise error


@dataclass(frozen=True)
class Cancellation:
    """Set when the run was asked to stop, or the stage's time is over: a long stage looks at it now and then."""

    events: tuple[StopFlag, ...] = ()

    def is_set(self) -> bool:
        return any(event.is_set() for event in self.events)

    def check(self) -> None:
        """Raises Interrupted, which a stage lets through, when it is set."""
        if self.is_set():
            raise Interrupted


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is known so far. A stage returns a changed copy: the maps cannot be written to.

    `assigns` is for stages to tell each other things and is kept nowhere, but for the keys that a caller declares
    public. In a trial it holds `tools`, which is no data, and `evidence`.
    """

    experiment_id: str
    run_id: str
    experiment: Experiment
    outputs: tuple[Any, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    trace: Trace | None = None
    telemetry_context: Mapping[str, Any] = field(default_factory=dict)
    assigns: Mapping[str, Any] = field(default_factory=dict)
    cancellation: Cancellation = Cancellation()
    registry: StageRegistry | None = None

    def __post_init__(self) -> None:
        for name in _MAPS:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def copied(self) -> Context:
        """The same with maps and lists of its own, however they are nested, for a stage that may change them."""
        return replace(self, **{name: copied(getattr(self, name)) for name in ("outputs", *_MAPS)})

    def put_metric(self, name: str, value: object) -> Context:
        return replace(self, metrics={**self.metrics, name: value})

    def get_metric(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - whatever was put
        return self.metrics.get(name, default)

    def update_metric(self, name: str, change: Callable[[Any], Any], initial: object = None) -> Context:
        return self.put_metric(name, change(self.metrics.get(name, initial)))

    def merge_metrics(self, metrics: Mapping[str, Any]) -> Context:
        return replace(self, metrics={**self.metrics, **metrics})

    def has_metric(self, name: str) -> bool:
        return name in self.metrics

    def add_output(self, *outputs: object) -> Context:
        return replace(self, outputs=(*self.outputs, *outputs))

    def put_artifact(self, name: str, value: object) -> Context:
        return replace(self, artifacts={**self.artifacts, name: value})

    def get_artifact(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - whatever was put
        return self.artifacts.get(name, default)

    def has_artifact(self, name: str) -> bool:
        return name in self.artifacts

    def assign(self, **values: object) -> Context:
        return replace(self, assigns={**self.assigns, **values})

    def mark_stage_complete(self, name: str) -> Context:
        if self.stage_completed(name):
            return self
        return self.assign(**{COMPLETED: (*self.completed_stages, name)})

    def stage_completed(self, name: str) -> bool:
        return name in self.completed_stages

    @property
    def completed_stages(self) -> tuple[str, ...]:
        """In their order, each once."""
        return tuple(self.assigns.get(COMPLETED, ()))

    def decide(self, decision: str, reasoning: str = "", **more: Any) -> Context:  # noqa: ANN401 - fields of an event
        """Put a decision and its reasons into the trace, if there is one. `more`: other fields of a TraceEvent."""
        if self.trace is None:
            return self
        return replace(self, trace=self.trace.event("decision", decision, reasoning=reasoning, **more))

    def fail(self, stage: str, code: str, message: str, *, fault: Fault = "infrastructure") -> StageFailure:
        """The failure that a stage returns. In a trial `fault` says whose it is."""
        return StageFailure(trouble=Trouble(stage=stage, code=code, message=message, fault=fault), context=self)

    @property
    def tools(self) -> Any:  # noqa: ANN401 - AttemptTools for a solution, JobTools for a model
        """The tools of the stages of a trial. Raises UsageError outside a trial."""
        return self._of_a_trial("tools")

    @property
    def evidence(self) -> TrialEvidence:
        """What was observed so far. Raises UsageError outside a trial."""
        evidence: TrialEvidence = self._of_a_trial("evidence")
        return evidence

    def with_container(self, record: ContainerRecord) -> Context:
        return self.with_evidence(containers=(*self.evidence.containers, record))

    def with_cases(self, cases: tuple[CaseRecord, ...]) -> Context:
        return self.with_evidence(cases=cases)

    def with_evidence(self, **changes: object) -> Context:
        return self.assign(evidence=self.evidence.model_copy(update=changes))

    def _of_a_trial(self, name: str) -> Any:  # noqa: ANN401 - tools or evidence
        if name not in self.assigns:
            msg = f"there is no {name} here: this stage works in a trial only"
            raise UsageError(msg, code="needs_trial")
        return self.assigns[name]


@dataclass(frozen=True, kw_only=True)
class StageFailure:
    """A stage stopped the run: why, and everything that was known when it did. `details`: each problem, if several;
    `traceback`: of an exception that nobody expected."""

    trouble: Trouble
    context: Context
    details: tuple[str, ...] = ()
    traceback: str | None = None

    @property
    def stage(self) -> str:
        return self.trouble.stage

    @property
    def reason(self) -> str:
        """The stable code."""
        return self.trouble.code


def copied(value: Any) -> Any:  # noqa: ANN401 - any value
    """A copy of maps, lists, tuples and sets, however they are nested. What else they hold is in both."""
    if isinstance(value, MappingProxyType) or type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(map(copied, value))
    return value


class Stage(Protocol):
    """One thing that a plan can ask for. A module with these two functions is one."""

    def run(self, context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
        """`options` are the definition's, defaults applied. Nothing is written but through the context and its tools.
        Raises EngineError when the engine, not a program inside it, fails."""

    def describe(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """What this stage is, and its options; see agentics.pipeline.contract.description."""


@dataclass(frozen=True)
class Registered:
    """A stage that was accepted, what it says of itself in normal form, and where it comes from."""

    name: str
    stage: Stage
    description: Mapping[str, Any]
    module: str


class StageRegistry(Protocol):
    """Finds stages by their names."""

    def find(self, name: str) -> Registered:
        """Raises StageUnavailable."""
