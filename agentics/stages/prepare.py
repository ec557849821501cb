"""Unpacks the solution into its workspace, where its setup and build may write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentics.archive import extract
from agentics.model.bundle.solution import SolutionManifest
from agentics.model.evidence.trial_evidence import Script, ScriptPhase
from agentics.model.plan.trial_plan import PrepareWorkspace
from agentics.pipeline.attempt_tools import MIB, attempt_tools
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context
from agentics.rundir.files.atomic import utc_now
from agentics.sandbox.collect import make_writable
from agentics.sandbox.regular import read_part
from agentics.sandbox.snapshot import snapshot

HEAD_BYTES = 512

name = "prepare"
describe = described(name, "Unpacks the solution into its workspace.", PrepareWorkspace, needs=("trial",))


def run(context: Context, options: Mapping[str, Any]) -> Context:
    tools, wanted = attempt_tools(context), PrepareWorkspace.model_validate(options)
    solution = tools.solution_at_hand
    unpacked_mb = -(-solution.uncompressed_bytes // MIB)
    place = tools.bounded("workspace", max(wanted.disk_limit_mb, unpacked_mb + 1), tools.users.solution)
    extract(solution, place.path)
    make_writable(place.path, uid=tools.users.solution)
    tools.workspace_before = snapshot(place.path, captured_at=utc_now())
    return context.with_evidence(submission=tools.submission, scripts=tuple(_scripts(place.path, solution.manifest)))


def _scripts(workspace: Path, manifest: SolutionManifest) -> Iterator[Script]:
    """The declared scripts that are there."""
    commands: dict[ScriptPhase, str | None] = {
        "setup": manifest.commands.setup,
        "build": manifest.commands.build,
        "run": manifest.commands.run,
    }
    for phase, path in commands.items():
        part = read_part(workspace, path, HEAD_BYTES, end=False) if path is not None else None
        if path is not None and part is not None:
            yield Script(phase=phase, path=path, head=part[1].decode(errors="replace"))
