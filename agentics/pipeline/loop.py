"""The one loop over stage definitions. It stops at the first failure, and always says how the run ended."""

from __future__ import annotations

import logging
import threading
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict, Unpack, get_args

from agentics.errors import AgenticsError, EngineError, StopFlag, UsageError
from agentics.model.evidence.stage_record import EventType, StageError, StageRecord, StageStatus
from agentics.model.evidence.trial_evidence import Trouble
from agentics.model.plan.pipeline import Experiment
from agentics.model.plan.trial_plan import StageDefinition
from agentics.pipeline.contract.options import option_problems, with_defaults
from agentics.pipeline.contract.registry import Registry, resolve
from agentics.pipeline.contract.stage import (
    Cancellation,
    Context,
    Interrupted,
    StageFailure,
    copied,
    reraise_interrupt,
)
from agentics.pipeline.contract.trace import begin
from agentics.pipeline.run_store import DirectoryStore, RunStore, Unkept
from agentics.pipeline.timing import StageTimeout, within
from agentics.policy.publish.redact import Redactor
from agentics.rundir.files.atomic import utc_now

MOST_METRICS = 10
_HIDE = Redactor().text
OptionChecks = Literal["off", "warn", "error"]
log = logging.getLogger("agentics.pipeline")


class WantedRun(TypedDict, total=False):
    """What a caller may say of a run. All of it has a default."""

    run_id: str
    persist: bool
    enable_trace: bool
    assigns: Mapping[str, Any]
    validate_options: OptionChecks
    registry: Registry | None
    store: RunStore
    cancel: StopFlag
    resume: bool


@dataclass(frozen=True, kw_only=True)
class _Options:
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    persist: bool = True
    enable_trace: bool = False
    assigns: Mapping[str, Any] = field(default_factory=dict)
    validate_options: OptionChecks = "off"
    registry: Registry | None = None
    store: RunStore = field(default_factory=DirectoryStore)
    cancel: StopFlag = field(default_factory=threading.Event)
    resume: bool = False

    def __post_init__(self) -> None:
        if self.validate_options not in get_args(OptionChecks):
            msg = f"validate_options is one of {', '.join(get_args(OptionChecks))}, not {self.validate_options!r:.100}"
            raise UsageError(msg, code="bad_validate_options")


def run(experiment: Experiment, **wanted: Unpack[WantedRun]) -> Context | StageFailure:
    """Carry out the stages in order. The context at the end, or the first failure with the context as it was then.

    `registry`: where names are looked up (`agentics.stages.registry()` has the built-in and the installed stages).
    `persist`: keep the run in `store`, by default below outputs/pipelines. `assigns`: what stages find in the context.
    `validate_options`: `off` says nothing, `warn` logs, `error` fails with `invalid_options`. `cancel`: when set, the
    run stops before its next stage. `resume`: leave out what the run of this id has completed. Raises StorageError when
    the run cannot be kept, Refused when there is one of this id, UsageError for another `validate_options` and for a
    resumption of stages that share a name (`ambiguous_stage`); whatever a stage does is a value.
    """
    options = _Options(**wanted)
    if options.resume:
        _check_names(experiment)
    store = options.store if options.persist else Unkept()
    context = Context(
        experiment_id=experiment.id,
        run_id=options.run_id,
        experiment=experiment,
        assigns=options.assigns,
        cancellation=Cancellation((options.cancel,)),
        registry=options.registry,
    )
    context = store.begin(context, resume=options.resume)
    if options.enable_trace:
        context = replace(context, trace=begin(experiment.id, options.run_id, store.event))
    # Until the loop has returned, this is how the run ended: by an exception that is no stage's.
    ended: Context | StageFailure = _failure("pipeline", context, "interrupted", "the run was broken off")
    try:
        ended = _all(context, options, store)
        return ended
    finally:
        store.end(ended)


def _check_names(experiment: Experiment) -> None:
    """What is complete is known by names, so each name of a pipeline that is resumed means one stage."""
    names = [definition.name for definition in experiment.pipeline if definition.enabled]
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        msg = f"the pipeline has several stages called {twice!r}, so what is complete of it cannot be told"
        hint = "run it without resume, or register the stage under a second name"
        raise UsageError(msg, code="ambiguous_stage", hint=hint)


def _all(context: Context, options: _Options, store: RunStore) -> Context | StageFailure:
    before = frozenset(context.completed_stages)
    for definition in context.experiment.pipeline:
        if not definition.enabled:
            context = _skipped(definition.name, context, store)
        elif definition.name not in before:
            outcome = _recorded(definition, context, options, store)
            if isinstance(outcome, StageFailure):
                return outcome
            context = outcome
    return context


def _recorded(
    definition: StageDefinition, context: Context, options: _Options, store: RunStore
) -> Context | StageFailure:
    name, started_at, clock = definition.name, utc_now(), time.monotonic()
    store.started(name)
    context = _traced(context, "stage_started", name)
    outcome = _one(definition, context, options)

    def record(status: StageStatus, error: StageError | None = None) -> StageRecord:
        return StageRecord(
            name=name,
            status=status,
            started_at=started_at,
            ended_at=utc_now(),
            duration_ms=round((time.monotonic() - clock) * 1000),
            error=error,
        )

    if isinstance(outcome, StageFailure):
        outcome = _without_secrets(outcome)
        trouble = outcome.trouble
        error = StageError(code=trouble.code, message=trouble.message, traceback=outcome.traceback)
        store.stage(record("failed", error), outcome.context)
        # The reason's code only: messages may quote what a trace must not have.
        facts = {"reason": trouble.code, "fault": trouble.fault}
        return replace(outcome, context=_traced(outcome.context, "stage_failed", name, confidence=0.0, metadata=facts))
    put = _new_metrics(context, outcome)
    outcome = outcome.mark_stage_complete(name)
    store.stage(record("completed"), outcome)
    return _traced(outcome, "stage_completed", name, metadata={"metrics": put} if put else {})


def _without_secrets(failed: StageFailure) -> StageFailure:
    """The same failure: what an exception said may hold a password, and everything that is told of it begins here."""
    message = _HIDE(failed.trouble.message)
    return replace(
        failed,
        trouble=failed.trouble.model_copy(update={"message": message}),
        details=tuple(map(_HIDE, failed.details)),
        traceback=failed.traceback and _HIDE(failed.traceback),
    )


def _skipped(name: str, context: Context, store: RunStore) -> Context:
    now = utc_now()
    store.stage(StageRecord(name=name, status="skipped", started_at=now, ended_at=now, duration_ms=0), context)
    return _traced(context, "stage_skipped", name)


def _one(  # noqa: PLR0911 - each way to fail is told apart
    definition: StageDefinition, context: Context, options: _Options
) -> Context | StageFailure:
    """Whatever happens in a stage is a value here."""
    name = definition.name
    try:
        context.cancellation.check()
        found = resolve(name, definition.module, options.registry)
        given = with_defaults(found.description, definition.options)
        wrong = option_problems(found.description, given) if options.validate_options != "off" else []
        if wrong and options.validate_options == "error":
            return replace(_failure(name, context, "invalid_options", "; ".join(wrong)), details=tuple(wrong))
        for problem in wrong:
            log.warning("stage %s: %s", name, problem)
        # Maps and lists of its own: what a stage changes in them stays as it was in the plan and the context before.
        outcome = within(definition.timeout_s, found, context.copied(), copied(given))
        return _checked(name, outcome, context)
    except Interrupted:
        return _failure(name, context, "interrupted", "the run was interrupted")
    except StageTimeout as error:
        return _failure(name, context, error.code, error.message)
    except EngineError as error:
        if context.cancellation.is_set():
            return _failure(name, context, "interrupted", "the run was interrupted")
        return _failure(name, context, error.code, error.message, retryable=error.retryable)
    except AgenticsError as error:
        return _failure(name, context, error.code, error.message)
    except OSError as error:
        # The host's own trouble (a full disk, a lost mount) is nobody's verdict.
        return _failure(name, context, "host_io", str(error), retryable=True)
    except BaseException as error:  # noqa: BLE001 - whatever a stage raises, SystemExit included, is its failure
        reraise_interrupt(error)
        failure = _failure(name, context, "stage_exception", f"{type(error).__name__}: {error}")
        return replace(failure, traceback="".join(traceback.format_exception(error)))


def _checked(name: str, outcome: object, before: Context) -> Context | StageFailure:
    """What a stage returned, if it is one of the two things that it may return, of this run."""
    after = outcome.context if isinstance(outcome, StageFailure) else outcome
    if not isinstance(after, Context):
        message = f"the stage returned {type(outcome).__name__}, neither a Context nor a StageFailure"
        return _failure(name, before, "invalid_return", message)
    if (after.run_id, after.experiment_id, after.experiment) != (
        before.run_id,
        before.experiment_id,
        before.experiment,
    ):
        return _failure(name, before, "invalid_return", "the stage returned the context of another run")
    after = replace(after, cancellation=before.cancellation)
    return replace(outcome, context=after) if isinstance(outcome, StageFailure) else after


def _failure(stage: str, context: Context, code: str, message: str, *, retryable: bool = False) -> StageFailure:
    fault: Literal["user", "infrastructure"] = "user" if code == "interrupted" else "infrastructure"
    trouble = Trouble(stage=stage, code=code, message=message, fault=fault, retryable=retryable)
    return StageFailure(trouble=trouble, context=context)


def _traced(context: Context, kind: EventType, stage: str, **more: Any) -> Context:  # noqa: ANN401 - fields of an event
    if context.trace is None:
        return context
    return replace(context, trace=context.trace.event(kind, f"{kind}: {stage}", stage=stage, **more))


def _new_metrics(before: Context, after: Context) -> dict[str, float]:
    """The first figures that a stage put or changed. Texts may be anybody's and stay out of the trace."""
    put = ((k, v) for k, v in after.metrics.items() if isinstance(v, int | float) and before.metrics.get(k) != v)
    return dict(list(put)[:MOST_METRICS])
