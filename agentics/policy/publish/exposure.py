"""Whether an official evaluation may show private material, and where a challenge's network makes that worse."""

from __future__ import annotations

from collections.abc import Iterator

from agentics.model.bundle.challenge import Challenge, Coexecuted
from agentics.model.document.json_text import Problem
from agentics.model.document.record import Mode
from agentics.model.evidence.verdict import Verdict
from agentics.policy.bundle.checks import locator

_QUOTING = ("result_", "manifest_")
_PUBLIC_TROUBLE = frozenset({"image_missing", "engine_missing", "engine_forbidden", "network_forbidden"})


def shown_detail(judgement: Verdict, challenge: Challenge, mode: Mode) -> str | None:
    """The detail as far as anybody may see it: of an official evaluation, only what is made of figures and fixed words.

    What a manifest, a result, the host or the engine says may quote locators, cases' names or the evaluator.
    """
    if mode == "validation" or not may_expose_private(challenge):
        return judgement.detail
    trouble = judgement.fault == "infrastructure" and judgement.reason not in _PUBLIC_TROUBLE
    quotes = (judgement.reason or "").startswith(_QUOTING) or trouble
    return None if quotes else judgement.detail


def may_expose_private(challenge: Challenge) -> bool:
    """Decides redaction, so in doubt it is true."""
    execution, datasets = challenge.execution, challenge.datasets
    if datasets.private_benchmark_enabled or execution.official_evaluation_setup is not None:
        return True
    if isinstance(execution, Coexecuted):
        return False
    static = locator(execution, "official")
    return static is None or not below(static[1], datasets.public_dir)


def below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def network_risks(challenge: Challenge) -> Iterator[Problem]:
    """Warnings: stages with a network that can carry private material away."""
    if not may_expose_private(challenge):
        return
    alone = isinstance(challenge.execution, Coexecuted)
    for index, target in enumerate(challenge.targets):
        profile = target.resource_profile
        stage, side = (profile.evaluator.run, "evaluator") if alone else (profile.solution.run, "solution")
        if stage is not None and stage.network_access != "disabled":
            message = f"{target.name}: {side}.run has network {stage.network_access} while official data may be private"
            path = ("targets", index, "resource_profile", side, "run", "network_access")
            yield Problem(code="risky_network", message=message, path=path, hint="disabled", severity="warning")
