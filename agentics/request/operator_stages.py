"""The operator's own stages in the plans of trials: where agentics.toml says, and checked before anything starts."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from agentics.config import OwnStage
from agentics.errors import UsageError
from agentics.model.plan.trial_plan import Plan, StageDefinition
from agentics.pipeline.contract.options import option_problems, with_defaults
from agentics.stages import registry


def with_own(plan: Plan, wanted: Sequence[OwnStage]) -> Plan:
    """The plan with these stages, each after the one it names; plans without that one stay as they are. Those that
    name the same one come in the order given.

    Raises UsageError: `unknown_stage` for a name that nobody registered, `invalid_options`.
    """
    # Each with how many stages it hangs on: the next after the same one comes behind the last, and what hangs on that.
    stages = [(stage, 0) for stage in plan.stages]
    for own in wanted:
        _check(own)
        names = [stage.name for stage, _ in stages]
        if own.after in names:
            before = names.index(own.after)
            depth = stages[before][1] + 1
            at = next((i for i in range(before + 1, len(stages)) if stages[i][1] < depth), len(stages))
            stages.insert(at, (StageDefinition(name=own.name, options=own.options), depth))
    return plan.model_copy(update={"stages": tuple(stage for stage, _ in stages)}) if wanted else plan


def _check(own: OwnStage) -> None:
    known = registry()
    description = known.find(own.name).description
    if own.after not in known.names():
        near = difflib.get_close_matches(own.after, known.names(), 1)
        msg = f"[[stages]] {own.name}: no stage is called {own.after!r}"
        raise UsageError(msg, code="unknown_stage", hint=f"did you mean {near[0]!r}?" if near else None)
    wrong = option_problems(description, with_defaults(description, own.options))
    if wrong:
        msg = f"[[stages]] {own.name}: {'; '.join(wrong)}"
        raise UsageError(msg, code="invalid_options", hint=f"`agentics stages show {own.name}` lists them")
