"""Which runtimes of the engine the operator wants, and whether the engine has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentics.config import Config, runtime_of
from agentics.errors import EngineError
from agentics.model.plan.trial_plan import Plan
from agentics.model_worker.launch import ROLE
from agentics.policy.inventory import planned_containers
from agentics.sandbox.engine import EngineFacts

MISSING = "runtime_missing"


def named(config: Config) -> tuple[str, ...]:
    """Every runtime that the configuration names."""
    own = (config.sandbox.runtime,) if config.sandbox.runtime is not None else ()
    return tuple(dict.fromkeys((*own, *(rule.runtime for rule in config.sandbox.runtimes))))


def check_runtimes(plans: Iterable[Plan], config: Config, facts: EngineFacts) -> None:
    """Raises EngineError (`runtime_missing`) when a container of these plans is to have a runtime that the engine does
    not offer."""
    wanted = {name for plan in plans for name in _wanted(plan, config)}
    if missing := sorted(wanted - set(facts.runtimes)):
        msg = f"agentics.toml names the runtime {missing[0]}, which the engine does not have"
        raise EngineError(msg, code=MISSING, hint=hint(facts), retryable=False)


def hint(facts: EngineFacts) -> str:
    """What to do about a runtime that the engine does not have."""
    return (
        f"it has {', '.join(facts.runtimes) or 'none that it tells of'}: name one of these under [sandbox], or install "
        "the other one and add it to the engine's runtimes (Docker: /etc/docker/daemon.json)"
    )


def _wanted(plan: Plan, config: Config) -> Iterator[str]:
    if plan.worker is not None and config.lighteval.is_local:
        return
    roles = [ROLE] if plan.worker is not None else [each.role for each in planned_containers(plan)]
    yield from (name for role in roles if (name := runtime_of(config, plan.target, role)) is not None)
