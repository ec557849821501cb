"""Unpacks the solution into its workspace, where its setup and build may write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentics.archive import extract
from agentics.model.plan import Prepare
from agentics.pipeline.bench import MIB
from agentics.pipeline.description import described
from agentics.pipeline.stage import Context
from agentics.sandbox.collect import make_writable

name = "prepare"
describe = described(name, "Unpacks the solution into its workspace.", Prepare, needs=("trial",))


def run(context: Context, options: Mapping[str, Any]) -> Context:
    bench, wanted = context.bench, Prepare.model_validate(options)
    unpacked_mb = -(-bench.solution.uncompressed_bytes // MIB)
    place = bench.bounded("workspace", max(wanted.disk_limit_mb, unpacked_mb + 1), bench.users.solution)
    extract(bench.solution, place.path)
    make_writable(place.path, uid=bench.users.solution)
    return context
