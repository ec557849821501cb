"""What network the stages of a plan get on this machine, in words."""

from __future__ import annotations

from agentics.config import Config
from agentics.errors import ConfigError
from agentics.model.plan.trial_plan import Plan
from agentics.policy.network import FORBIDDEN, forbidden, stages_with_network
from agentics.sandbox.network import ca_bundle

HINT = "set [network] allowed = true in agentics.toml, or evaluate this on a machine whose operator allows network"


def granted(config: Config) -> str:
    """What a stage that declares network gets here. Names of variables, never values."""
    network = config.network
    if not network.allowed:
        return "no network (agentics.toml: [network] allowed = false)"
    extras = [*sorted(network.environment), *(["a CA bundle"] if network.ca_bundle is not None else [])]
    return f"network, with {', '.join(extras)}" if extras else "network"


def network_of(plan: Plan, config: Config) -> str | None:
    """What the stages of the plan get here that declare network; None where none does."""
    stages = stages_with_network(plan)
    return f"{', '.join(stages)}: {granted(config)}" if stages else None


def check_network(plan: Plan, config: Config) -> None:
    """Raises ConfigError when the plan's stages cannot have the network that they declare."""
    trouble = None if config.network.allowed else forbidden(plan)
    if trouble is not None:
        raise ConfigError(trouble.message, code=FORBIDDEN, hint=HINT)
    if stages_with_network(plan):
        ca_bundle(config)
