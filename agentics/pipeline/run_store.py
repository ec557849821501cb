"""Where a run of a pipeline is kept: a directory of its own, written as things happen, or nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

from agentics.errors import Refused, UsageError
from agentics.model.evidence.stage_record import PipelineRun, StageRecord, TraceEvent
from agentics.pipeline.contract.stage import COMPLETED, Context, StageFailure
from agentics.policy.publish.redact import Redactor
from agentics.rundir.files import ledger
from agentics.rundir.files.atomic import json_line, make_directory, read_document, storing, utc_now, write_document
from agentics.rundir.files.safe_files import real

ROOT = Path("outputs") / "pipelines"
STAGE_RECORDS = TypeAdapter(StageRecord)

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class RunStore(Protocol):
    """What the loop tells as it happens. What cannot be written is a StorageError, and ends the run."""

    def begin(self, context: Context, *, resume: bool) -> Context:
        """The context to begin with: as given, or with what an earlier run of this id completed."""

    def started(self, stage: str) -> None:
        """A stage begins."""

    def stage(self, record: StageRecord, context: Context) -> None:
        """A stage has ended or was skipped; the context as it is then."""

    def event(self, event: TraceEvent) -> None:
        """Something was traced."""

    def end(self, ended: Context | StageFailure) -> None:
        """The run is over, however it ended."""


class Unkept:
    """Nothing is kept."""

    def begin(self, context: Context, *, resume: bool) -> Context:  # noqa: ARG002 - there is nothing to resume from
        return context

    def started(self, stage: str) -> None: ...

    def stage(self, record: StageRecord, context: Context) -> None: ...

    def event(self, event: TraceEvent) -> None: ...

    def end(self, ended: Context | StageFailure) -> None: ...


def append_line(path: Path, record: BaseModel, *, durable: bool = False) -> None:
    """One line at the end, whole once this returns; it survives a crash of the machine only if it is `durable`."""
    with storing(path), path.open("ab", buffering=0) as file:
        file.write(json_line(record).encode() + b"\n")
        if durable:
            os.fsync(file.fileno())


@dataclass
class DirectoryStore:
    """`<root>/<experiment>/experiment.json`, and for each run `<run_id>/`: run.json, stages.jsonl, pipeline/trace.jsonl
    and artifacts.jsonl.

    Of the assigns only those named in `public_assigns` are kept, and secrets are taken out of everything.
    """

    root: Path = ROOT
    public_assigns: tuple[str, ...] = ()
    redactor: Redactor = field(default_factory=Redactor)
    _run: PipelineRun | None = None
    _recorded: frozenset[str] = frozenset()

    def begin(self, context: Context, *, resume: bool) -> Context:
        """Raises Refused (`run_exists`) when there is such a run and it is not to be resumed."""
        folder = self.folder(context)
        earlier = read_document(folder / "run.json", PipelineRun)
        if earlier is not None and not resume:
            msg = f"{folder}: there is a run of this id"
            raise Refused(msg, code="run_exists", hint="resume it, or give this one another run_id")
        make_directory(folder / "pipeline")
        ledger.repair(folder / "pipeline" / "trace.jsonl")
        self.upsert_experiment(context)
        if earlier is not None:
            context = replace(context, metrics=earlier.metrics, outputs=earlier.outputs, artifacts=earlier.artifacts)
            context = context.assign(**{COMPLETED: earlier.completed_stages})
            self._recorded = frozenset(earlier.artifacts)
        self.start_run(context)
        return context

    def started(self, stage: str) -> None:
        """Only ends are kept."""

    def stage(self, record: StageRecord, context: Context) -> None:
        ledger.append(self.folder(context) / "stages.jsonl", self._redacted(record))
        for name in context.artifacts.keys() - self._recorded:
            self.record_artifact(context, name)
        self._write(context, status="running")

    def event(self, event: TraceEvent) -> None:
        run = self._begun()
        path = self._place(run.experiment_id, run.run_id) / "pipeline" / "trace.jsonl"
        append_line(path, self._redacted(event), durable=event.type == "stage_failed")

    def end(self, ended: Context | StageFailure) -> None:
        if isinstance(ended, StageFailure):
            failure = {"stage": ended.stage, "reason": ended.reason}
            self.finish_run(ended.context, status="failed", failure=failure)
        else:
            self.finish_run(ended, status="completed")

    def upsert_experiment(self, context: Context) -> None:
        document = context.experiment.model_dump(mode="json", by_alias=True)
        write_document(self.folder(context).parent / "experiment.json", self.redactor.mapping(document))

    def start_run(self, context: Context) -> None:
        self._run = PipelineRun(
            experiment_id=context.experiment_id, run_id=context.run_id, status="running", started_at=utc_now()
        )
        self._write(context, status="running")

    def finish_run(self, context: Context, **changes: Any) -> None:  # noqa: ANN401 - fields of the record
        self._write(context, ended_at=utc_now(), **changes)

    def record_artifact(self, context: Context, name: str) -> None:
        """A line for each artifact: what a stage put under its name."""
        line = _Artifact(name=name, value=self._safe(context.artifacts[name]))
        ledger.append(self.folder(context) / "artifacts.jsonl", line)
        self._recorded |= {name}

    def folder(self, context: Context) -> Path:
        return self._place(context.experiment_id, context.run_id)

    def _write(
        self,
        context: Context,
        *,
        failure: Mapping[str, str] | None = None,
        **changes: Any,  # noqa: ANN401 - fields of the record
    ) -> None:
        public = {key: context.assigns[key] for key in self.public_assigns if key in context.assigns}
        self._run = self._begun().model_copy(
            update={
                "completed_stages": context.completed_stages,
                "metrics": self._safe(dict(context.metrics)),
                "outputs": tuple(self._safe(list(context.outputs))),
                "artifacts": self._safe(dict(context.artifacts)),
                "metadata": {**self._safe(public), **({"failure": dict(failure)} if failure else {})},
                **changes,
            }
        )
        write_document(self.folder(context) / "run.json", self._run)

    def _begun(self) -> PipelineRun:
        if self._run is None:
            msg = "nothing was begun here"
            raise AssertionError(msg)
        return self._run

    def _place(self, experiment_id: str, run_id: str) -> Path:
        for name in (experiment_id, run_id):
            if _NAME.fullmatch(name) is None or name.startswith("."):
                msg = f"{name!r} cannot name a directory"
                raise UsageError(msg, code="bad_name", hint="use letters, digits, '_', '.' and '-'")
        return real(self.root) / experiment_id / run_id

    def _redacted(self, record: Any) -> Any:  # noqa: ANN401 - a record of the same kind
        return type(record).model_validate(self.redactor.known_json(record.model_dump(mode="json")))

    def _safe(self, value: object) -> Any:  # noqa: ANN401 - JSON
        """As JSON has it: what JSON cannot say becomes the name of its kind, and secrets are taken out."""
        plain = to_jsonable_python(value, fallback=lambda each: f"<{type(each).__name__}>", inf_nan_mode="null")
        return self.redactor.json(plain)


class _Artifact(BaseModel):
    name: str
    value: Any
