"""The challenge's own setup: a trusted container that may generate the run or session manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentics.model.evidence import Trouble
from agentics.model.plan import ChallengeSetup
from agentics.pipeline.bench import MIB
from agentics.pipeline.description import described
from agentics.pipeline.stage import Context, StageFailure
from agentics.policy.verdict import bad_end
from agentics.sandbox.collect import make_readable, usage
from agentics.stages.network import with_fault

name = "challenge_setup"
describe = described(
    name,
    "The challenge's own setup, which may generate the run or session manifest.",
    ChallengeSetup,
    needs=("trial", "docker"),
)


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    bench, wanted = context.bench, ChallengeSetup.model_validate(options)
    plan = wanted.container
    place = bench.bounded("setup", plan.limits.disk_limit_mb, bench.users.evaluator)
    ended = bench.engine.start(bench.container(plan)).wait()
    bench.check_interrupted()
    record = bench.record(name, plan, ended)
    context = context.with_container(record)
    problem = None
    if not record.clean:
        problem = f"{bad_end(record)} with exit code {record.exit_code}"
    elif usage(place.path)[0] > plan.limits.disk_limit_mb * MIB:
        problem = f"left more than {plan.limits.disk_limit_mb} MiB"
    if problem is not None:
        trouble = Trouble(stage=name, code="challenge_setup_failed", message=problem, fault="challenge")
        return with_fault(context, plan, record, trouble, trusted=True)
    make_readable(place.path)
    return context
