"""Unpacks the solution into its workspace, where its setup and build may write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentics.archive import extract
from agentics.model.plan import Prepare
from agentics.pipeline.bench import MIB
from agentics.pipeline.description import described
from agentics.pipeline.stage import Context
from agentics.rundir.atomic import utc_now
from agentics.sandbox.collect import make_writable
from agentics.sandbox.snapshot import snapshot

name = "prepare"
describe = described(name, "Unpacks the solution into its workspace.", Prepare, needs=("trial",))


def run(context: Context, options: Mapping[str, Any]) -> Context:
    bench, wanted = context.bench, Prepare.model_validate(options)
    solution = bench.solution_at_hand
    unpacked_mb = -(-solution.uncompressed_bytes // MIB)
    place = bench.bounded("workspace", max(wanted.disk_limit_mb, unpacked_mb + 1), bench.users.solution)
    extract(solution, place.path)
    make_writable(place.path, uid=bench.users.solution)
    bench.workspace_before = snapshot(place.path, captured_at=utc_now())
    return context.with_evidence(submission=bench.submission)
