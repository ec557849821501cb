"""What every trial to be has, whether a solution or a model is tried: its slot, its plan, and how it is spoken of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from agentics.model.plan.trial_plan import Plan
from agentics.model.run.design import Integration, Slot
from agentics.model.run.directory import TrialRuntime
from agentics.pipeline.attempt_tools import Resume
from agentics.pipeline.progress import Progress, ProgressKind
from agentics.request.time_limits import network_access


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """One variant on one task, one replication: a slot to be filled. `ref` names the task, `index` counts tasks. `ext`:
    what it was made from, if it is a fork, a replay or a regrade; `resume`: what it does not have to do again."""

    index: int
    ref: str
    variant: str
    plan: Plan
    slot: Slot
    bindings: Mapping[str, JsonValue] = field(default_factory=dict)
    integration: Integration = "cli_basic"
    replicated: bool = False
    ext: Mapping[str, JsonValue] = field(default_factory=dict)
    resume: Resume | None = None

    def progress(self, kind: ProgressKind, *, trial_id: str | None = None, **facts: object) -> Progress:
        """What is told of this trial."""
        return Progress(
            kind=kind,
            trial_id=trial_id,
            task=self.ref,
            variant=self.variant,
            replication=self.slot.repl_idx + 1 if self.replicated else None,
            facts=facts,
        )

    def runtime(self) -> TrialRuntime:
        """What is recorded of how the trial is run."""
        mode = "full" if "enabled" in self._networks() else "none"
        return TrialRuntime(
            integration_level=self.integration, network_mode_requested=mode, network_mode_effective=mode
        )

    def _networks(self) -> set[str]:
        if (worker := self.plan.worker) is not None:
            return {worker.network, *((worker.judges.network,) if worker.judges else ())}
        return {access for stage in self.plan.stages if (access := network_access(stage)) is not None}
