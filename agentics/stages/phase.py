"""The solution's own setup and build: one container each, on one workspace. Failing is the participant's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentics.model.evidence.trial_evidence import ContainerRecord, Trouble
from agentics.model.plan.trial_plan import ContainerStage
from agentics.pipeline.attempt_tools import MIB, attempt_tools
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.policy.verdict.decision import bad_end
from agentics.sandbox.collect import make_readable, usage
from agentics.stages.network import with_fault


@dataclass(frozen=True)
class Phase:
    """`solution_setup` or `solution_build`."""

    name: str

    def describe(self, options: Mapping[str, Any]) -> dict[str, Any]:
        text = f"The solution's own {self.name.removeprefix('solution_')}, one container on its workspace."
        return described(self.name, text, ContainerStage, needs=("trial", "docker"))(options)

    def run(self, context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
        tools, plan = attempt_tools(context), ContainerStage.model_validate(options).container
        ended = tools.engine.start(tools.container(plan)).wait()
        tools.check_interrupted()
        record = tools.record(self.name, plan, ended)
        context = context.with_container(record)
        workspace = tools.paths["workspace"]
        problem = _problem(record)
        if problem is None and usage(workspace)[0] > plan.limits.disk_limit_mb * MIB:
            problem = f"the workspace holds more than {plan.limits.disk_limit_mb} MiB"
        if problem is not None:
            trouble = Trouble(stage=self.name, code=f"{self.name}_failed", message=problem, fault="participant")
            return with_fault(context, plan, record, trouble, trusted=False)
        # Later containers read the workspace as other users; what build made executable stays so.
        make_readable(workspace)
        return context


def _problem(record: ContainerRecord) -> str | None:
    if record.clean:
        return None
    if record.ended == "exited":
        return f"ended with exit code {record.exit_code}"
    return f"{bad_end(record).replace('_', ' ')} after {record.wall_s:.2f} s (limit {record.timeout_s:g} s)"
