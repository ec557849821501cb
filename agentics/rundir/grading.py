"""benchmark/ while an adapter fills it: empty at first, kept when its scores were accepted, else set aside again.

So benchmark/ is what was accepted last, and benchmark_history/<n>/ all the rest: what a later adapter replaced, and
what was refused or interrupted, with its logs.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agentics.archive.hostile import reopen
from agentics.model.run.benchmark import Grading
from agentics.rundir.files.atomic import (
    fsync_directory,
    make_directory,
    read_document,
    storing,
    sync_files,
    utc_now,
    write_document,
)
from agentics.rundir.files.leftovers import entries, tidy
from agentics.rundir.integrity.trust import is_own, seal

LOGS = "evaluator_logs"
OUTPUT, ERRORS = f"{LOGS}/adapter_stdout.log", f"{LOGS}/adapter_stderr.log"
FIRST = ("adapter_manifest.json", "predictions.jsonl", "scores.jsonl", "summary.json", LOGS, OUTPUT, ERRORS)
"""Where an adapter leaves too much, these are kept before all else."""
_LOOK_S, _PATIENCE_S = 0.02, 15.0
_PROCESS = "process"


@dataclass(frozen=True, kw_only=True)
class BenchmarkDirectory:
    """`directory` is to be filled. `refused`: the same by name, relative to the run, once it is set aside."""

    directory: Path
    refused: str


@contextmanager
def grading(root: Path, run_id: str) -> Iterator[BenchmarkDirectory]:
    """For the holder of the run's lock. Whatever is raised inside: benchmark/ is then what it was before."""
    restore(root)
    directory, number = root / "benchmark", _next(root)
    aside = number if _filled(directory) else None
    marker = Grading(run_id=run_id, started_at=utc_now(), set_aside=aside)
    write_document(_marker(root), marker)
    try:
        if aside is not None:
            _set_aside(root, aside)
        make_directory(directory / LOGS)
        directory.chmod(0o700)  # what an adapter says may rest on private data
        yield BenchmarkDirectory(directory=directory, refused=f"benchmark_history/{number + (aside is not None)}")
        _make_durable(directory)
    except BaseException:
        restore(root)
        raise
    _forget(root)


def restore(root: Path) -> None:
    """Undo a grading that was not finished; nothing to do where there is none. For the holder of the run's lock."""
    marker = read_document(_marker(root), Grading)
    if marker is None:
        return
    _end_orphan(marker)
    earlier = _history(root) / str(marker.set_aside) if marker.set_aside is not None else None
    # Where the earlier one is not in the history, it never left its place, or is back there.
    if earlier is None or earlier.exists():
        if _filled(root / "benchmark"):
            _set_aside(root, _next(root))
        if earlier is not None:
            with storing(earlier):
                earlier.rename(root / "benchmark")
                fsync_directory(root)
    _forget(root)


def note_process(root: Path, pid: int) -> None:
    """Remember the process that answers for the adapter, so that whoever restores can wait for its end."""
    marker, born = read_document(_marker(root), Grading), _born(pid)
    if marker is not None and born is not None:
        told = {"process": (pid, born), "seal": seal(_PROCESS, marker.run_id, str(pid), born)}
        write_document(_marker(root), marker.model_copy(update=told))


def unfinished(root: Path) -> bool:
    """Whether what lies in benchmark/ is still being written, or was left by a runner that was killed."""
    return _marker(root).exists()


def _end_orphan(marker: Grading) -> None:
    """An adapter whose runner was killed would go on writing, by these same paths, into what comes next.

    A stranger's marker ends nothing.
    """
    if marker.process is None or not is_own(marker.seal, _PROCESS, marker.run_id, *map(str, marker.process)):
        return
    deadline = time.monotonic() + _PATIENCE_S
    while _born(marker.process[0]) == marker.process[1]:
        # It ends all that the adapter started; itself it is killed only when it does not.
        late = time.monotonic() > deadline
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(marker.process[0], signal.SIGKILL if late else signal.SIGHUP)
        if late:
            return
        time.sleep(_LOOK_S)


def _born(pid: int) -> str | None:
    """When a process was started; None where it has ended, or there is no /proc. A number that was given out again has
    another birth."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        facts = after_name.split()
        return None if facts[0] == "Z" else facts[19]
    except (OSError, IndexError):
        return None


def _marker(root: Path) -> Path:
    return root / "runtime" / "grading.json"


def _history(root: Path) -> Path:
    return root / "benchmark_history"


def _next(root: Path) -> int:
    history = _history(root)
    numbers = (int(place.name) for place in history.iterdir() if place.name.isdecimal()) if history.is_dir() else ()
    return max(numbers, default=0) + 1


def _filled(directory: Path) -> bool:
    """Whether there is something to keep; an empty directory is removed."""
    with storing(directory):
        if os.path.lexists(directory):
            reopen(directory)
        if directory.is_dir() and not directory.is_symlink() and not any(directory.iterdir()):
            directory.rmdir()
    return os.path.lexists(directory)


def _set_aside(root: Path, number: int) -> None:
    """Of what a refused adapter left, what a run can keep."""
    history = _history(root)
    tidy(root / "benchmark", label="benchmark", first=FIRST)
    if not _filled(root / "benchmark"):
        return
    make_directory(history)
    with storing(history):
        history.chmod(0o700)
        (root / "benchmark").rename(history / str(number))
        fsync_directory(history)
        fsync_directory(root)


def _forget(root: Path) -> None:
    with storing(_marker(root)):
        _marker(root).unlink()
        fsync_directory(root / "runtime")


def _make_durable(directory: Path) -> None:
    """The adapter may not have synced what it wrote."""
    with storing(directory):
        sync_files(directory, [directory / path for path, _ in entries(directory)])
