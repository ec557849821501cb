"""One case: its inputs laid out, its container run, what it left collected for the evaluator and kept as evidence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from agentics.model.base import compact_json
from agentics.model.evidence import CaseRecord, ContainerRecord, OutputFile, Violation
from agentics.model.manifest import Run
from agentics.model.plan import Cases
from agentics.pipeline.bench import MIB, Bench
from agentics.policy.topologies.separated import alias, case_env
from agentics.sandbox.collect import Caps, Collected, collect, make_readable, make_writable
from agentics.sandbox.places import Place
from agentics.stages.manifest import lay_out

RESERVED = frozenset({"agentics-run.json"})
STREAMS = ("stdout.txt", "stderr.txt")
REFUSED = 125  # what an evaluator is told when a case exited 0 but left what it may not


def carry_out(bench: Bench, wanted: Cases, index: int, run: Run) -> CaseRecord:
    """Raises Interrupted, and EngineError when the engine fails."""
    bench.check_interrupted()
    place = bench.scratch.bounded(wanted.container.limits.disk_limit_mb * MIB, uid=bench.users.solution)
    try:
        case = _in_place(bench, wanted, index, run, place)
    finally:
        bench.scratch.release(place)
    bench.keep.append("cases", case)
    return case


def _in_place(bench: Bench, wanted: Cases, index: int, run: Run, place: Place) -> CaseRecord:
    inputs = _lay_out(bench, wanted, run, place)
    own: dict[str, Path | Place] = {"io": place, "io_input": inputs}
    container = bench.container(wanted.container, own=own, env=case_env(index, run.interface))
    ended = bench.engine.start(container).wait()
    bench.check_interrupted()
    record = bench.describe("cases", wanted.container, ended)
    seen = bench.paths["solution_runs"] / run.run_name
    limit = wanted.container.limits.disk_limit_mb * MIB
    collected = collect(place.path, seen, Caps(bytes=limit), reserved=RESERVED)
    violation = _violation(record, collected, limit) or _misshapen(seen)
    if violation is not None:
        _show_nothing(seen)
    _show_platform_side(seen, inputs, run, _facts(run, record, violation))
    return CaseRecord(
        run_name=run.run_name,
        alias=alias(index),
        interface=run.interface,
        container=record,
        violation=violation,
        files=_keep(bench, seen, collected) if violation is None else (),
        place_kind=place.kind,
    )


def _lay_out(bench: Bench, wanted: Cases, run: Run, place: Place) -> Path:
    """Fill the case's own /io, and beside it the read-only inputs, which count against nobody's disk; their path."""
    for folder in ("input", "output", "tmp"):
        (place.path / folder).mkdir()
    (place.path / "stdin.txt").write_bytes(_stdin(run))
    make_writable(place.path, uid=bench.users.solution)
    inputs = bench.scratch.plain()
    inputs.chmod(0o755)
    lay_out(run.input_files, bench.paths[wanted.manifest.place], inputs)
    return inputs


def _stdin(run: Run) -> bytes:
    if run.stdin_json is not None:
        return compact_json(run.stdin_json).encode()
    return (run.stdin_text or "").encode()


def _violation(record: ContainerRecord, collected: Collected, limit_bytes: int) -> Violation | None:
    if record.ended == "disk_limit":
        return Violation(kind="disk_limit", detail=f"/io grew beyond {limit_bytes // MIB} MiB while the case ran")
    if collected.violation is not None:
        return Violation(kind=collected.violation.kind, detail=collected.violation.detail)
    return None


def _misshapen(seen: Path) -> Violation | None:
    """Evaluators are promised that the streams are files and `output` a directory: participants cannot break that."""
    for name in ("stdin.txt", *STREAMS):
        if (seen / name).is_dir():
            return Violation(kind="not_a_file", detail=f"{name}: a directory where a file was")
    if (seen / "output").is_file():
        return Violation(kind="not_a_directory", detail="output: a file where a directory was")
    return None


def _facts(run: Run, record: ContainerRecord, violation: Violation | None) -> dict[str, object]:
    code = record.exit_code
    return {
        "run_name": run.run_name,
        "interface": run.interface,
        "exit_code": REFUSED if violation is not None and code == 0 else code,
        "timed_out": record.ended == "timed_out",
        "wall_time_ms": round(record.wall_s * 1000),
        "stdout_path": f"/solution-runs/{run.run_name}/stdout.txt",
        "stderr_path": f"/solution-runs/{run.run_name}/stderr.txt",
        "output_dir": f"/solution-runs/{run.run_name}/output",
    }


def _show_nothing(seen: Path) -> None:
    """A case that left what it may not shows the evaluator an empty output: half of it would be a choice of ours."""
    if seen.exists():
        shutil.rmtree(seen)
    seen.mkdir(parents=True)


def _show_platform_side(seen: Path, inputs: Path, run: Run, facts: dict[str, object]) -> None:
    """What we say of the case: its stdin and inputs as they were given, not as the case left them, and how it ended."""
    seen.chmod(0o755)
    (seen / "stdin.txt").unlink(missing_ok=True)
    (seen / "stdin.txt").write_bytes(_stdin(run))
    for stream in STREAMS:
        (seen / stream).touch()
    (seen / "output").mkdir(exist_ok=True)
    shutil.copytree(inputs, seen / "input", dirs_exist_ok=True)
    (seen / "agentics-run.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
    make_readable(seen)  # whatever our own umask is


def _keep(bench: Bench, seen: Path, collected: Collected) -> tuple[OutputFile, ...]:
    return tuple(
        OutputFile(path=file.path, size_bytes=file.size, ref=bench.keep.put_file(seen / file.path))
        for file in collected.files
        if file.path != "stdin.txt"
    )
