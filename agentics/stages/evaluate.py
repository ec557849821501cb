"""The evaluator's container, after the cases or as all there is. It may be started ahead, behind its gate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentics.model.evidence.trial_evidence import ContainerRecord, Trouble
from agentics.model.plan.trial_plan import ContainerPlan, RunEvaluator
from agentics.pipeline.attempt_tools import MIB, AttemptTools, attempt_tools
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.policy.verdict.decision import bad_end, measured
from agentics.sandbox.collect import usage
from agentics.sandbox.engine import Running
from agentics.stages.network import with_fault

name = "evaluate"
describe = described(name, "The evaluator's container.", RunEvaluator, needs=("trial", "docker"))


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    tools, plan = attempt_tools(context), RunEvaluator.model_validate(options).container
    running = tools.ahead or _start(tools, options, gated=False)
    tools.ahead = None
    running.open_gate()
    ended = running.wait()
    tools.check_interrupted()
    record = tools.record(name, plan, ended)
    context = context.with_container(record)
    if not record.clean:
        return _ended_badly(context, plan, record)
    if not context.evidence.facts.runs_cases:
        return within_disk(context, name, record, plan.limits.disk_limit_mb)
    return context


def _ended_badly(context: Context, plan: ContainerPlan, record: ContainerRecord) -> Context | StageFailure:
    """The verdict blames for how an evaluator ends, but for a network that it declared and did not have."""
    ended = Trouble(stage=name, code=f"evaluator_{bad_end(record)}", message=measured(record), fault="challenge")
    alone = context.evidence.facts.runs_cases
    failure = with_fault(context, plan, record, ended, trusted=alone)
    return failure if failure.trouble.fault == "infrastructure" else failure.context


def start_ahead(tools: AttemptTools) -> None:
    """Have the evaluator's container ready while the last cases still run; its clock starts at its gate."""
    options = next((d.options for d in tools.plan.stages if d.name == name), None)
    if options is not None and tools.ahead is None:
        tools.ahead = _start(tools, options, gated=True)


def lay_out_output(tools: AttemptTools, disk_limit_mb: int) -> None:
    """The evaluator's own place, and the facts on the submission that it may read."""
    place = tools.bounded("output", disk_limit_mb, tools.users.evaluator)
    if tools.plan.facts.one_container:
        scratch = place.path / "tmp"
        scratch.mkdir()
        tools.own(scratch, tools.users.evaluator, 0o700)
    tools.own(place.path, tools.users.evaluator, 0o700)
    folder = tools.plain("metadata")
    file = folder / "submission.json"
    file.write_text(json.dumps(tools.submission.model_dump(mode="json"), indent=2), encoding="utf-8")
    tools.own(file, tools.users.evaluator, 0o600)
    tools.own(folder, tools.users.evaluator, 0o700)


def _start(tools: AttemptTools, options: Mapping[str, Any], *, gated: bool) -> Running:
    plan = RunEvaluator.model_validate(options).container
    lay_out_output(tools, plan.limits.disk_limit_mb)
    return tools.engine.start(tools.container(plan), gated=gated)


def within_disk(context: Context, stage: str, record: ContainerRecord, limit_mb: int) -> Context | StageFailure:
    """The evaluator's output place keeps its limit, or the challenge is at fault."""
    if record.clean and usage(attempt_tools(context).paths["output"])[0] > limit_mb * MIB:
        trouble = Trouble(
            stage=stage,
            code="evaluator_disk_limit",
            message=f"/output holds more than {limit_mb} MiB",
            fault="challenge",
        )
        return StageFailure(trouble=trouble, context=context)
    return context
