"""Runs an adapter, the user's own program, over the evidence of a run, and takes what it says or refuses all of it.

No prediction and no score is ever made here. A process of its own answers for the program (`adapter_process`), which
also ends it when this process dies: nothing that it started lives on when this returns.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agentics.archive.hostile import reopen
from agentics.errors import BenchmarkError, StopFlag
from agentics.model.document.finding import Finding
from agentics.model.run.benchmark import AdapterManifest, BenchmarkSummary, EvidenceLine, PredictionRecord, ScoreRecord
from agentics.model.run.design import AdapterCommand
from agentics.pipeline.stdout import LOG_BYTES, TRUNCATED
from agentics.policy.run.benchmark import lacking, summarize
from agentics.rundir.benchmark import (
    MANIFEST,
    PREDICTIONS,
    SCORES,
    SUMMARY,
    AdapterOutput,
    Broken,
    evidence_lines,
    inspect,
)
from agentics.rundir.files.atomic import utc_now, write_document
from agentics.rundir.files.leftovers import tidy
from agentics.rundir.grading import ERRORS, FIRST, LOGS, OUTPUT, BenchmarkDirectory, grading, note_process
from agentics.runner import adapter_process

_LOOK_S = 0.05
_PREFIXES = ("AGENTICS_", "AGENTLAB_")
"""Ours, and that of the contract, by which adapters that exist already know these names."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """What was accepted, as it lies in `directory`. `summary` is the adapter's, or says that the runner added it up."""

    directory: Path
    manifest: AdapterManifest
    predictions: tuple[PredictionRecord, ...]
    scores: tuple[ScoreRecord, ...]
    summary: BenchmarkSummary
    log_truncated: bool


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """What the process that answers for an adapter says at the end; its own words are in its docstring."""

    status: int = 0
    missing: str | None = None
    cut: bool = False
    left: bool = False

    @property
    def cut_note(self) -> str:
        return f", cut at {LOG_BYTES >> 20} MiB," if self.cut else ""


def run_adapter(root: Path, run_id: str, adapter: AdapterCommand, *, cwd: Path, interrupt: StopFlag) -> BenchmarkResult:
    """Score the run in `root` (absolute), whose lock the caller holds. Blocks until the adapter has ended.

    Raises BenchmarkError: `evidence_class_missing` (nothing was started), `adapter_missing`, `adapter_exit_nonzero`,
    `adapter_timeout`, `adapter_interrupted` (only when `interrupt` is set), `adapter_not_ended`,
    `adapter_manifest_missing` or `_invalid`, likewise `predictions_` and `scores_`, `summary_invalid`, and
    `adapter_files_refused` for what else a run cannot hold. benchmark/ is then what it was before; what the
    adapter left is below benchmark_history/.
    """
    try:
        return _scored(root, run_id, adapter, cwd, interrupt)
    except BenchmarkError as error:
        error.run = {"run_id": run_id, "run_dir": str(root)}
        raise


def _scored(root: Path, run_id: str, adapter: AdapterCommand, cwd: Path, interrupt: StopFlag) -> BenchmarkResult:
    lines = evidence_lines(root)
    _require(lines, adapter)
    with grading(root, run_id) as place:
        ended = _carry_out(root, run_id, adapter, place, cwd, interrupt)
        if os.path.lexists(place.directory):
            reopen(place.directory)
        found = inspect(root, run_id, lines, adapter, label=place.refused)
        if isinstance(found, Broken):
            raise _broken(found)
        removed = tidy(place.directory, label=place.refused, first=FIRST)
        if removed:
            raise _broken(Broken(code="adapter_files_refused", findings=removed))
        summary = found.summary or _added_up(place, found, run_id, len(lines))
    return BenchmarkResult(
        directory=place.directory,
        manifest=found.manifest,
        predictions=found.predictions,
        scores=found.scores,
        summary=summary,
        log_truncated=ended.cut,
    )


def environment(root: Path, run_id: str) -> dict[str, str]:
    """What an adapter is told beside the environment of whoever runs it: absolute paths, each under both prefixes."""
    benchmark = root / "benchmark"
    told = {
        "RUN_ID": run_id,
        "RUN_DIR": root,
        "EVIDENCE_RECORDS_PATH": root / "evidence" / "evidence_records.jsonl",
        "TASK_CHAIN_STATES_PATH": root / "evidence" / "task_chain_states.jsonl",
        "BENCHMARK_DIR": benchmark,
        "BENCHMARK_TASKS_PATH": benchmark / "tasks.jsonl",
        "EVALUATOR_LOGS_DIR": benchmark / LOGS,
        "ADAPTER_MANIFEST_PATH": benchmark / MANIFEST,
        "PREDICTIONS_PATH": benchmark / PREDICTIONS,
        "SCORES_PATH": benchmark / SCORES,
        "BENCHMARK_SUMMARY_PATH": benchmark / SUMMARY,
    }
    return {f"{prefix}{name}": str(value) for prefix in _PREFIXES for name, value in told.items()}


def _require(lines: Sequence[EvidenceLine], adapter: AdapterCommand) -> None:
    missing = lacking(lines, adapter.required_evidence)
    if missing:
        trial, name = missing[0]
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        msg = f"{trial} has no evidence of class {name}{more}, and the benchmark requires it"
        raise BenchmarkError(msg, code="evidence_class_missing")


def _carry_out(
    root: Path, run_id: str, adapter: AdapterCommand, place: BenchmarkDirectory, cwd: Path, interrupt: StopFlag
) -> _Ended:
    deadline = time.monotonic() + adapter.timeout_s
    why = None
    with _started(adapter, place, cwd, {**os.environ, **environment(root, run_id)}) as (process, said):
        note_process(root, process.pid)
        while why is None and process.poll() is None:
            if interrupt.is_set():
                why = "adapter_interrupted", "the adapter was stopped before it had finished", ""
            elif time.monotonic() >= deadline:
                more = "; /benchmark/adapter/timeout_s is more"
                why = "adapter_timeout", f"the adapter took longer than {adapter.timeout_s:g} s", more
            else:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_S)
        ended = _end(process, said)
    logs = f"its output{ended.cut_note} is in {place.refused}/{LOGS}/"
    if ended.missing is not None:
        msg = f"the adapter {adapter.command[0]!r:.200} cannot be started: {ended.missing}"
        raise BenchmarkError(msg, code="adapter_missing", hint=f"it is looked for on PATH, or relative to {cwd}")
    if why is not None:
        code, msg, more = why
        raise BenchmarkError(msg, code=code, hint=logs + more)
    if ended.left:
        msg = "a program that the adapter had started could not be ended"
        raise BenchmarkError(msg, code="adapter_not_ended", hint="end it yourself: it may still write into the run")
    if ended.status:
        msg = f"the adapter {_how(ended.status)}"
        raise BenchmarkError(msg, code="adapter_exit_nonzero", hint=logs)
    return ended


@contextmanager
def _started(
    adapter: AdapterCommand, place: BenchmarkDirectory, cwd: Path, variables: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The process that answers for the adapter, and what it says at its end; on leaving it has ended."""
    said, status = os.pipe()
    own = (str(status), str(LOG_BYTES), TRUNCATED.decode(), str(os.getpid()))
    try:
        with (place.directory / OUTPUT).open("xb") as out, (place.directory / ERRORS).open("xb") as err:
            process = subprocess.Popen(
                (sys.executable, "-I", "-S", adapter_process.__file__, *own, *adapter.command),
                cwd=cwd,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=(status,),
                start_new_session=True,
            )
    except BaseException:
        os.close(said)
        raise
    finally:
        os.close(status)
    try:
        yield process, said
    finally:
        _stop(process)
        os.close(said)


def _end(process: subprocess.Popen[bytes], said: int) -> _Ended:
    """End the adapter, unless it has ended, and take what is known of its end."""
    _stop(process)
    try:
        return _Ended(**json.loads(os.read(said, 4096)))
    except ValueError:
        # The process that answers for it was killed, and with it the adapter.
        return _Ended(status=process.returncode or -signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(adapter_process.GRACE_S + 2 * adapter_process.BURIAL_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _how(status: int) -> str:
    if status > 0:
        return f"ended with exit status {status}"
    return f"was ended by {signal.Signals(-status).name}" if -status in set(signal.Signals) else f"ended by {-status}"


def _broken(found: Broken) -> BenchmarkError:
    errors = [finding for finding in found.findings if finding.severity == "error"]
    first: Finding = errors[0]
    where = f"{first.file}:{first.line}" if first.line else first.file
    at = f" at {first.pointer}" if first.pointer else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return BenchmarkError(f"{where}: {first.message}{at}{more}", found.findings, code=found.code, hint=first.hint)


def _added_up(place: BenchmarkDirectory, found: AdapterOutput, run_id: str, trials: int) -> BenchmarkSummary:
    summary = summarize(found.manifest, found.scores, run_id=run_id, trials=trials, created_at=utc_now())
    write_document(place.directory / SUMMARY, summary)
    return summary
