"""Runs an adapter, the user's own program, over the evidence of a run, and takes what it says or refuses all of it.

No prediction and no score is ever made here. The program is in a process group of its own, and writes into files: there
is no pipe that could fill, and nothing of it lives on when this returns.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agentics.errors import BenchmarkError
from agentics.model.benchmark import (
    AdapterManifest,
    BenchmarkSummary,
    EvidenceLine,
    PredictionRecord,
    ScoreRecord,
)
from agentics.model.design import AdapterCommand
from agentics.model.finding import Finding
from agentics.policy.benchmark import lacking, summarize
from agentics.rundir.atomic import utc_now, write_document
from agentics.rundir.benchmark import (
    MANIFEST,
    PREDICTIONS,
    SCORES,
    SUMMARY,
    Benchmark,
    Broken,
    evidence_lines,
    inspect,
)
from agentics.rundir.grading import LOGS, Place, grading, note_process

_LOOK_S = 0.05
_GRACE_S = 5.0
_BURIAL_S = 1.0
"""So long the killed are waited for. Where nobody buries orphans they stay, dead."""
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


def run_adapter(
    root: Path, run_id: str, adapter: AdapterCommand, *, cwd: Path, interrupt: threading.Event
) -> BenchmarkResult:
    """Score the run in `root` (absolute), whose lock the caller holds. Blocks until the adapter has ended.

    Raises BenchmarkError: `evidence_class_missing` (nothing was started), `adapter_missing`, `adapter_exit_nonzero`,
    `adapter_timeout`, `adapter_interrupted` (only when `interrupt` is set), `adapter_manifest_missing` or `_invalid`,
    likewise `predictions_` and `scores_`, and `summary_invalid`. benchmark/ is then what it was before; what the
    adapter left is below benchmark_history/.
    """
    lines = evidence_lines(root)
    _require(lines, adapter)
    with grading(root, run_id) as place:
        _carry_out(root, run_id, adapter, place, cwd, interrupt)
        found = inspect(root, run_id, lines, adapter, label=place.refused)
        if isinstance(found, Broken):
            raise _broken(found)
        summary = found.summary or _added_up(place, found, run_id, len(lines))
    return BenchmarkResult(
        directory=place.directory,
        manifest=found.manifest,
        predictions=found.predictions,
        scores=found.scores,
        summary=summary,
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
    root: Path, run_id: str, adapter: AdapterCommand, place: Place, cwd: Path, interrupt: threading.Event
) -> None:
    logs = f"its output is in {place.refused}/{LOGS}/"
    deadline = time.monotonic() + adapter.timeout_s
    with _started(adapter, place, cwd, {**os.environ, **environment(root, run_id)}) as process:
        note_process(root, process.pid)
        while process.poll() is None:
            if interrupt.wait(_LOOK_S):
                msg = "the adapter was stopped before it had finished"
                raise BenchmarkError(msg, code="adapter_interrupted", hint=logs)
            if time.monotonic() >= deadline:
                msg = f"the adapter took longer than {adapter.timeout_s:g} s"
                raise BenchmarkError(msg, code="adapter_timeout", hint=f"{logs}; /benchmark/adapter/timeout_s is more")
    if process.returncode:
        msg = f"the adapter {_how(process.returncode)}"
        raise BenchmarkError(msg, code="adapter_exit_nonzero", hint=logs)


@contextmanager
def _started(
    adapter: AdapterCommand, place: Place, cwd: Path, variables: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """The process; whatever happens inside, on leaving nothing of its group is alive."""
    logs = place.directory / LOGS
    with (logs / "adapter_stdout.log").open("xb") as out, (logs / "adapter_stderr.log").open("xb") as err:
        try:
            process = subprocess.Popen(
                adapter.command,
                cwd=cwd,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except OSError as error:
            msg = f"the adapter {adapter.command[0]!r:.200} cannot be started: {error.strerror or error}"
            hint = f"it is looked for on PATH, or relative to {cwd}"
            raise BenchmarkError(msg, code="adapter_missing", hint=hint) from error
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the program, unless it has ended by itself, then end its whole group: a child would go on writing."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    _signal(process, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + _BURIAL_S
    while _signal(process, 0) and time.monotonic() < until:
        time.sleep(_LOOK_S / 10)


def _signal(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether the group could be told: not when nobody of it is left, or on some systems only its dead."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


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


def _added_up(place: Place, found: Benchmark, run_id: str, trials: int) -> BenchmarkSummary:
    summary = summarize(found.manifest, found.scores, run_id=run_id, trials=trials, created_at=utc_now())
    write_document(place.directory / SUMMARY, summary)
    return summary
