"""A trial as a pipeline: its plan as an experiment, and what is kept of its stages in the attempt's directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentics.model.document.record import Ids
from agentics.model.evidence.stage_record import StageRecord, TraceEvent
from agentics.model.plan.pipeline import BackendRef, Experiment
from agentics.pipeline.attempt_tools import AttemptTools
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.job_tools import JobTools
from agentics.pipeline.run_store import append_line
from agentics.policy.publish.redact import Redactor
from agentics.request.planned_trial import PlannedTrial


def as_experiment(trial: PlannedTrial, ids: Ids) -> Experiment:
    return Experiment(id=ids.trial_id, backend=BackendRef(id=trial.variant), pipeline=trial.plan.stages)


@dataclass(frozen=True)
class AttemptStore:
    """`stages.jsonl`, a durable line for each stage, and `trace.jsonl`, whose lines may be lost with the machine but
    for failures. Metrics and assigns are kept nowhere: evidence has its own records, and the attempt its own state."""

    tools: AttemptTools | JobTools
    root: Path
    redactor: Redactor

    def begin(self, context: Context, *, resume: bool) -> Context:  # noqa: ARG002 - a trial begins anew, as an attempt
        return context

    def started(self, stage: str) -> None:
        self.tools.observe("stage_started", stage=stage)

    def stage(self, record: StageRecord, context: Context) -> None:  # noqa: ARG002 - its facts are in the evidence
        if record.error is not None:
            known = self.redactor.known
            error = record.error.model_copy(
                update={
                    "message": known(record.error.message),
                    "traceback": record.error.traceback and known(record.error.traceback),
                }
            )
            record = record.model_copy(update={"error": error})
        self.tools.keep.append("stages", record)
        if record.status == "completed":
            self.tools.observe("stage_finished", stage=record.name)

    def event(self, event: TraceEvent) -> None:
        shown = TraceEvent.model_validate(self.redactor.known_json(event.model_dump(mode="json")))
        append_line(self.root / "trace.jsonl", shown, durable=event.type == "stage_failed")

    def end(self, ended: Context | StageFailure) -> None:
        """The attempt's own result says how it ended."""
