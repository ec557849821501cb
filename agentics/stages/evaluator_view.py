"""What the evaluator sees of a case, from its record: the same bytes whether it has just run or is restored.

Of what the case left only `output`, the streams and other files of /io are its own. Its stdin and inputs are shown as
they were given, and how it ended as we measured it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from agentics.archive.hostile import remove
from agentics.model.bundle.manifest import RunEntry
from agentics.model.document.strict_types import compact_json
from agentics.model.evidence.trial_evidence import CaseRecord
from agentics.model.plan.trial_plan import RunCases
from agentics.pipeline.attempt_tools import AttemptTools
from agentics.sandbox.collect import make_readable
from agentics.stages.manifest import lay_out

FACTS = "agentics-run.json"
STDIN = "stdin.txt"
STREAMS = ("stdout.txt", "stderr.txt")
REFUSED = 125  # what an evaluator is told when a case exited 0 but left what it may not


def show(seen: Path, case: CaseRecord, run: RunEntry, inputs: Path) -> None:
    """Put our side beside the files that the case left in `seen`."""
    seen.chmod(0o755)
    (seen / STDIN).unlink(missing_ok=True)
    (seen / STDIN).write_bytes(stdin_of(run))
    for stream in STREAMS:
        (seen / stream).touch()
    (seen / "output").mkdir(exist_ok=True)
    shutil.copytree(inputs, seen / "input", dirs_exist_ok=True)
    (seen / FACTS).write_text(json.dumps(_facts(case, run), indent=2), encoding="utf-8")
    make_readable(seen)  # whatever our own umask is


def show_nothing(seen: Path) -> None:
    """A case that left what it may not shows the evaluator an empty output: half of it would be a choice of ours."""
    remove(seen)
    seen.mkdir(parents=True)


def stdin_of(run: RunEntry) -> bytes:
    if run.stdin_json is not None:
        return compact_json(run.stdin_json).encode()
    return (run.stdin_text or "").encode()


def inputs_of(tools: AttemptTools, wanted: RunCases, run: RunEntry) -> Path:
    """The case's input files, laid out in a place that only we write to."""
    inputs = tools.scratch.plain()
    inputs.chmod(0o755)
    lay_out(run.input_files, tools.paths[wanted.manifest.place], inputs)
    return inputs


def _facts(case: CaseRecord, run: RunEntry) -> dict[str, object]:
    code = case.container.exit_code
    return {
        "run_name": run.run_name,
        "interface": run.interface,
        "exit_code": REFUSED if case.violation is not None and code == 0 else code,
        "timed_out": case.container.ended == "timed_out",
        "wall_time_ms": round(case.container.wall_s * 1000),
        "stdout_path": f"/solution-runs/{run.run_name}/stdout.txt",
        "stderr_path": f"/solution-runs/{run.run_name}/stderr.txt",
        "output_dir": f"/solution-runs/{run.run_name}/output",
    }
