"""The worker's image is made the first time a job needs it, by the same commands as any other image of ours."""

from __future__ import annotations

from collections.abc import Callable

from agentics.config import resolve
from agentics.lighteval.planning import IMAGE
from agentics.runner.campaign import Campaign
from agentics.runner.machine import open_images
from agentics.sandbox.images import build_missing, list_images

NAME = "lighteval"


def ensure_worker(campaign: Campaign, log: Callable[[str], None]) -> None:
    """Build our image unless this version's is there. Somebody else's, or a worker without one, is left to its owner.

    Raises EngineMissing and EngineError.
    """
    if not campaign.models or campaign.config.lighteval.is_local:
        return
    found = resolve(campaign.config, campaign.trials[0].plan.target, IMAGE, campaign.request.images)
    if found.used != IMAGE:
        return
    with open_images(campaign.config) as store:
        if not all(one.current for one in list_images(store) if one.definition.name == NAME):
            log("the worker's image is made once, in two or three minutes: `agentics images build lighteval`")
            build_missing(store, (NAME,), log)
