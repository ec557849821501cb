"""How far a trial's participant code was kept apart from what it must not reach."""

from __future__ import annotations

from agentics.model.document.record import Trust
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.model.plan.trial_plan import UNTRUSTED
from agentics.policy.inventory import observed_containers


def trust_of(evidence: TrialEvidence) -> Trust:
    """The plan's level; `own_kernel` where it is `isolated` and no participant code ran on the engine's kernel."""
    kernels = {record.kernel for record in observed_containers(evidence) if record.role in UNTRUSTED}
    return "own_kernel" if evidence.trust == "isolated" and kernels == {"own"} else evidence.trust


def is_of_a_model(trust: Trust) -> bool:
    """Whether a model worker answered, and no solution ran."""
    return trust == "model_worker"
