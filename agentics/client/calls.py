"""`Client`: every command that a controller needs as a method, a run as a stream of events, what it left on disk."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from agentics.client import reading
from agentics.client.process import ClientProcess
from agentics.client.responses import (
    ForkResponse,
    KillResponse,
    PauseResponse,
    ReplayResponse,
    Response,
    ResumeResponse,
    RunResponse,
)
from agentics.model.run.event import RunnerEvent
from agentics.model.run.outcome import RunOutcome
from agentics.rundir.files.safe_files import real

R = TypeVar("R", bound=BaseModel)

_LINE_BYTES = 1 << 30
"""A line is as long as an envelope is: with an outcome for every task."""


class Client:
    """Calls the command `agentics`, and nothing else of it. Every call raises ClientError, and says there what of.

    `binary` is the program, else what AGENTICS_BIN names, else `agentics`. `env` is added to the environment.
    Relative paths of runs are relative to `cwd`, as the command has them.

    Options of a command are keywords: `exit_policy="strict"` is `--exit-policy=strict`, True is a flag, None and False
    are nothing, a list repeats the option, and so does a mapping, with `KEY=JSON`.
    """

    def __init__(
        self, binary: str | None = None, cwd: Path | str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.environment = {**os.environ, **(env or {})}
        self.binary = binary or self.environment.get("AGENTICS_BIN") or "agentics"
        self.cwd = None if cwd is None else Path(cwd)

    def run_stream(
        self, *words: str | Path, kill_on_break: bool = False, **options: object
    ) -> Iterator[RunnerEvent | RunResponse]:
        """`run_stream("eval", bundle, solution=...)`: each event as it happens, and then the response.

        Whoever leaves early leaves the run to itself, unless `kill_on_break` tells it to stop in good order.
        """
        process = self._start((*words, "--json-stream"), options)
        try:
            last = b""
            for line in process.lines():
                event = process.event(line)
                last = line if event is None else b""
                if event is not None:
                    yield event
            yield process.response(last, RunResponse)
        finally:
            process.close(kill=kill_on_break)

    async def async_run_stream(
        self, *words: str | Path, kill_on_break: bool = False, **options: object
    ) -> AsyncIterator[RunnerEvent | RunResponse]:
        """As `run_stream`, and nobody else of the loop waits for it."""
        process = self._start((*words, "--json-stream"), options)
        # Not a process of asyncio's own: that one is killed when the loop ends.
        reader = asyncio.StreamReader(limit=_LINE_BYTES)
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), process.stdout
        )
        try:
            last = b""
            async for text in reader:
                if not (line := text.strip()):
                    continue
                event = process.event(line)
                last = line if event is None else b""
                if event is not None:
                    yield event
            yield await asyncio.to_thread(process.response, last, RunResponse)
        finally:
            pipe.close()
            await asyncio.to_thread(process.close, kill=kill_on_break)

    def call(self, model: type[R], /, *words: str | Path, **options: object) -> R:
        """Any command that has `--json`, and its envelope as `model`; `Response` takes each."""
        process = self._start((*words, "--json"), options)
        try:
            *_, last = (b"", *process.lines())
            return process.response(last, model)
        finally:
            process.close(kill=False)

    def eval(self, *bundles: str | Path, **options: object) -> RunResponse:
        """`client.eval("bundles/one", solution=["mine"], run_id="nightly")`."""
        return self.call(RunResponse, "eval", *bundles, **options)

    def experiment(self, file: str | Path, **options: object) -> RunResponse:
        return self.call(RunResponse, "experiment", "run", file, **options)

    def job(self, spec: str | Path, **options: object) -> RunResponse:
        """`client.job("job.json", run_id="nightly")`: evaluate a model as a JobSpec says."""
        return self.call(RunResponse, "job", "run", spec, **options)

    def job_check(self, spec: str | Path, **options: object) -> Response:
        """Raises ClientError (invalid_document) with every finding in its details."""
        return self.call(Response, "job", "check", spec, **options)

    def job_plan(self, spec: str | Path, **options: object) -> Response:
        """`plans` and `digests`: what the job would do."""
        return self.call(Response, "job", "plan", spec, **options)

    def job_details(self, run: str | Path, task: str, **options: object) -> Response:
        """A page of the answers of a task, in `details`. Options: variant, page, page_size."""
        return self.call(Response, "job", "details", run, task=task, **options)

    def job_compare(self, baseline: str | Path, run: str | Path, **options: object) -> Response:
        """Options: baseline_model, model."""
        return self.call(Response, "job", "compare", baseline, run, **options)

    def pause(self, run: str | Path, **options: object) -> PauseResponse:
        """Options: trial_id, label, timeout_seconds."""
        return self.call(PauseResponse, "run", "pause", run, **options)

    def resume(self, run: str | Path, **options: object) -> ResumeResponse:
        """Options: trial_id, label. Whoever wants other bindings makes a fork."""
        return self.call(ResumeResponse, "run", "resume", run, **options)

    def continue_(self, run: str | Path, **options: object) -> RunResponse:
        return self.call(RunResponse, "run", "continue", run, **options)

    def kill(self, run: str | Path, **options: object) -> KillResponse:
        return self.call(KillResponse, "run", "kill", run, **options)

    def recover(self, run: str | Path, **options: object) -> Response:
        """Options: force."""
        return self.call(Response, "run", "recover", run, **options)

    def fork(
        self, run: str | Path, from_trial: str, at: str, *, bindings: Mapping[str, Any] | None = None, **options: object
    ) -> ForkResponse:
        """`at` is `checkpoint:NAME`, `step:N` or `event_seq:N`. Options: strict, dry_run."""
        return self.call(ForkResponse, "run", "fork", run, from_trial=from_trial, at=at, set=bindings, **options)

    def replay(self, run: str | Path, trial_id: str, **options: object) -> ReplayResponse:
        """Options: strict."""
        return self.call(ReplayResponse, "run", "replay", run, trial_id=trial_id, **options)

    def regrade(self, run: str | Path, **options: object) -> Response:
        return self.call(Response, "run", "regrade", run, **options)

    def gate(self, run: str | Path, **options: object) -> Response:
        return self.call(Response, "run", "gate", run, **options)

    def verify(self, run: str | Path, **options: object) -> Response:
        return self.call(Response, "run", "verify", run, **options)

    def rebuild(self, run: str | Path, **options: object) -> Response:
        return self.call(Response, "run", "rebuild", run, **options)

    def describe(self, **options: object) -> Response:
        """The stages that plans are made of, with their options. Options: name."""
        return self.call(Response, "stages", **options)

    def read_analysis(self, run: str | Path) -> reading.Analysis:
        """Raises ClientError (missing_file) where nothing was analysed."""
        return reading.analysis(self._place(run))

    def read_evidence(self, run: str | Path) -> reading.Evidence:
        return reading.evidence(self._place(run))

    def read_benchmark(self, run: str | Path) -> reading.BenchmarkFiles:
        return reading.benchmark(self._place(run))

    def read_outcome(self, run: str | Path, variant: str | None = None) -> RunOutcome:
        """Of the variant's directory, of the only one by default. Raises ClientError (missing_file)."""
        return reading.outcome(self._place(run), variant)

    def read_events(self, run: str | Path, first: int = 1) -> tuple[RunnerEvent, ...]:
        return reading.events(self._place(run), first)

    def _place(self, run: str | Path) -> Path:
        return real((self.cwd or Path()) / run)

    def _start(self, words: tuple[str | Path, ...], options: Mapping[str, Any]) -> ClientProcess:
        command = (self.binary, *map(str, words), *_options(options))
        return ClientProcess(command, self.cwd, self.environment)


def _options(options: Mapping[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        name = f"--{key.strip('_').replace('_', '-')}"
        if value is True:
            yield name
        elif isinstance(value, Mapping):
            yield from (f"{name}={inner}={json.dumps(one)}" for inner, one in value.items())
        elif isinstance(value, list | tuple):
            yield from (f"{name}={one}" for one in value)
        elif value is not None and value is not False:
            yield f"{name}={value}"
