"""What everybody may see of the challenges of a campaign."""

from __future__ import annotations

from agentics.model.bundle.public_challenge import PublicChallenge
from agentics.policy.publish.public_challenge import public_challenge
from agentics.request.campaign import Campaign


def public_challenges(campaign: Campaign) -> dict[str, PublicChallenge]:
    """By the challenge's name."""
    challenges = (trial.task.bundle.challenge for trial in campaign.solutions)
    return {challenge.challenge_name: public_challenge(challenge) for challenge in challenges}
