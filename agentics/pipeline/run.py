"""The one loop over stage definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentics.errors import AgenticsError, EngineError
from agentics.model.evidence import Trouble
from agentics.model.plan import StageDefinition
from agentics.pipeline.bench import Interrupted
from agentics.pipeline.stage import Context, Stage, StageFailure


def run(stages: Sequence[StageDefinition], registry: Mapping[str, Stage], context: Context) -> Context | StageFailure:
    """Carry out the stages in order; stop at the first that fails, with the context as it was then."""
    for definition in stages:
        if not definition.enabled:
            continue
        context.bench.observe("stage_started", stage=definition.name)
        outcome = _one(definition, registry, context)
        if isinstance(outcome, StageFailure):
            return outcome
        context = replace(outcome, completed=(*outcome.completed, definition.name))
        context.bench.observe("stage_finished", stage=definition.name)
    return context


def _one(definition: StageDefinition, registry: Mapping[str, Stage], context: Context) -> Context | StageFailure:
    stage = registry.get(definition.name)
    if stage is None:
        return _failure(definition.name, context, "unknown_stage", f"no stage is called {definition.name!r}")
    try:
        context.bench.check_interrupted()
        return stage.run(context, definition.options)
    except Interrupted:
        return _failure(definition.name, context, "interrupted", "the run was interrupted")
    except EngineError as error:
        if context.bench.interrupted:
            return _failure(definition.name, context, "interrupted", "the run was interrupted")
        return _failure(definition.name, context, error.code, error.message, retryable=error.retryable)
    except (AgenticsError, OSError) as error:
        # The host's own trouble (a full disk, a lost mount) is nobody's verdict.
        code = error.code if isinstance(error, AgenticsError) else "host_io"
        return _failure(definition.name, context, code, str(error), retryable=isinstance(error, OSError))


def _failure(stage: str, context: Context, code: str, message: str, *, retryable: bool = False) -> StageFailure:
    fault = "user" if code == "interrupted" else "infrastructure"
    trouble = Trouble.model_validate(
        {"stage": stage, "code": code, "message": message, "fault": fault, "retryable": retryable}
    )
    return StageFailure(trouble=trouble, context=context)
