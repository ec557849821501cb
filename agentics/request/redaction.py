"""What must not be written about an invocation: the secrets among its arguments, its environment and [network], and
those that its jobs hand to workers."""

from __future__ import annotations

import os

from agentics.policy.network import secrets_of
from agentics.policy.publish.redact import Redactor, named_secrets, secrets_in
from agentics.request.campaign import Campaign


def redactor_of(campaign: Campaign) -> Redactor:
    """Takes these secrets out of everything that is written while the campaign is carried out."""
    environment = campaign.config.network.environment
    names = {name for job in campaign.jobs for name in job.checked.secrets}
    named = named_secrets(os.environ[name] for name in names if name in os.environ)
    return Redactor(secrets_in(campaign.request.argv, os.environ) | secrets_of(environment) | named)
