"""The challenge's own setup: a trusted container that may generate the run or session manifest.

What it leaves is kept on this machine. An attempt whose setup depends on the same takes that, and runs no container.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentics.content import as_digest
from agentics.errors import InvalidDocument
from agentics.model.evidence.setup_record import SetupInputs, SetupRecord
from agentics.model.evidence.trial_evidence import Trouble
from agentics.model.plan.trial_plan import ChallengeSetup, ManifestSource
from agentics.pipeline.attempt_tools import MIB, AttemptTools, attempt_tools
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.setup_reuse import SetupReuse
from agentics.policy.bundle.setups import setup_inputs, setup_key
from agentics.policy.verdict.decision import bad_end
from agentics.rundir.files.atomic import utc_now
from agentics.sandbox.collect import make_readable, usage
from agentics.sandbox.setups import SetupClaim, Waiting
from agentics.stages.manifest import run_manifest, session_manifest
from agentics.stages.network import with_fault

name = "challenge_setup"
describe = described(
    name,
    "The challenge's own setup, which may generate the run or session manifest.",
    ChallengeSetup,
    needs=("trial", "docker"),
)


GRACE_S = 60
"""What making a product may take beyond the setup's own time: starting its container, keeping what it left."""


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    tools, wanted = attempt_tools(context), ChallengeSetup.model_validate(options)
    if tools.setup_reuse is None:
        return _make(context, wanted)
    return _make_or_reuse(context, wanted, tools.setup_reuse)


def _make_or_reuse(context: Context, wanted: ChallengeSetup, reuse: SetupReuse) -> Context | StageFailure:
    tools, inputs = attempt_tools(context), _inputs(attempt_tools(context), wanted, reuse)
    waiting = Waiting(
        # The attempt that makes the product may be paused, or hang. Who has waited so long is quicker alone.
        patience_s=wanted.container.limits.timeout_sec + GRACE_S,
        stop=tools.interrupt.is_set,
        around=reuse.waiting,
    )
    with reuse.store.claim(setup_key(inputs), waiting) as claim:
        if claim.product is not None:
            tools.use_setup(claim.product)
            return _recorded(context, claim, made_at=claim.product.record.made_at, reused=True)
        tools.check_interrupted()
        if claim.waited:
            tools.observe("stage_started", stage=name)
        made = _make(context, wanted)
        if isinstance(made, StageFailure):
            return made
        made_at = utc_now()
        _keep(tools, wanted, reuse, claim, inputs, made_at)
        return _recorded(made, claim, made_at=made_at, reused=False)


def _make(context: Context, wanted: ChallengeSetup) -> Context | StageFailure:
    tools, plan = attempt_tools(context), wanted.container
    place = tools.bounded("setup", plan.limits.disk_limit_mb, tools.users.evaluator)
    ended = tools.engine.start(tools.container(plan)).wait()
    tools.check_interrupted()
    record = tools.record(name, plan, ended)
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
    # A solution may share its container with the evaluator, and what the setup left may be private.
    tools.own(place.path, tools.users.evaluator, 0o700)
    return context


def _inputs(tools: AttemptTools, wanted: ChallengeSetup, reuse: SetupReuse) -> SetupInputs:
    image = tools.images[wanted.container.image]
    return setup_inputs(
        tools.plan,
        wanted,
        reuse.challenge(),
        image=(image.use.id, image.relaxed),
        run_by=(tools.users.argument(wanted.container.user), tools.runtime(wanted.container.role)),
        network=reuse.network,
    )


def _keep(
    tools: AttemptTools, wanted: ChallengeSetup, reuse: SetupReuse, claim: SetupClaim, inputs: SetupInputs, made_at: str
) -> None:
    """Keep what the setup left, if all of it is there."""
    if not _left_its_manifest(tools, wanted):
        # What an official manifest is called is private.
        claim.note = "not kept: the manifest that it has to leave is missing, or breaks its contract"
        return
    product = reuse.store.keep(claim, tools.places["setup"], inputs, made_at)
    if product is not None:
        tools.use_setup(product)


def _left_its_manifest(tools: AttemptTools, wanted: ChallengeSetup) -> bool:
    """Whether the stage that reads the manifest will take it, or none has to be there."""
    if wanted.manifest_file is None:
        return True
    source = ManifestSource(place="setup", file=wanted.manifest_file)
    read = session_manifest if any(stage.name == "session" for stage in tools.plan.stages) else run_manifest
    try:
        read(tools, source)
    except (InvalidDocument, OSError):
        return False
    return True


def _recorded(context: Context, claim: SetupClaim, *, made_at: str, reused: bool) -> Context:
    """Write down how the attempt came by the product, and tell it."""
    product = attempt_tools(context).setup_product
    record = SetupRecord(
        key=as_digest(claim.key),
        reused=reused,
        made_at=made_at,
        product=product.record.content if product is not None else None,
        note=claim.note,
    )
    attempt_tools(context).keep.append("setups", record)
    attempt_tools(context).observe("setup_finished", reused=reused, made_at=made_at, note=claim.note)
    return context.with_evidence(setup=record)
