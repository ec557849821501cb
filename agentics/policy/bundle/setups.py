"""Names the product of a challenge's setup by what it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentics import __version__
from agentics.content import digest_of
from agentics.model.evidence.setup_record import SetupInputs
from agentics.model.plan.trial_plan import ChallengeSetup, Plan

KEY_VERSION = 1
"""To be raised when the surroundings of a setup's container change, or what is done to a product before it is used."""


@dataclass(frozen=True, kw_only=True)
class ChallengeDigests:
    """What a setup finds at /challenge: the digests of its sources, and of the tree that was made of them."""

    bundle_digest: str
    overlay_digests: Sequence[str]
    tree_digest: str


def setup_inputs(
    plan: Plan,
    setup: ChallengeSetup,
    challenge: ChallengeDigests,
    *,
    image: tuple[str, Iterable[str]],
    run_by: tuple[str, str | None],
    network: str,
) -> SetupInputs:
    """`image`: the image's id, and what the operator relaxed for it. `run_by`: the user and the runtime of its
    container. `network`: a digest of the operator's network settings, empty where there are none; it counts only for a
    setup that has a network."""
    image_id, relaxed = image[0], tuple(sorted(image[1]))
    has_network = setup.container.limits.network_access == "enabled" or "network" in relaxed
    return SetupInputs(
        version=KEY_VERSION,
        agentics_version=__version__,
        bundle_digest=challenge.bundle_digest,
        overlay_digests=tuple(challenge.overlay_digests),
        challenge_digest=challenge.tree_digest,
        target=plan.target,
        mode=plan.mode,
        container=setup.container,
        manifest_file=setup.manifest_file,
        image_id=image_id,
        relaxed=relaxed,
        user=run_by[0],
        runtime=run_by[1],
        network=network if has_network else None,
    )


def setup_key(inputs: SetupInputs) -> str:
    """`sha256:<hex>`: equal inputs have an equal key, and any other inputs another one."""
    return digest_of(inputs.model_dump(mode="json"))
