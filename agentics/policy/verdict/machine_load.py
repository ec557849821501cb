"""When the load of the machine makes a measured result doubtful. It never changes a verdict.

What counts is the work of others: a trial's own cases keep the processor busy by themselves, and are meant to.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentics.model.evidence.machine_load import MachineLoad

CALM_PRESSURE = 0.1
"""With less than this share of the time spent waiting for a core, a result is not disturbed by other work. Measured on
two cores: 0.04 for a single process beside one busy loop of others, which did not slow it down."""
CALM_QUEUE = 1.0
"""The same where pressure is not known: no more tasks than cores."""
_WORTH = 0.05
"""A share that is worth to be told of beside a larger one."""
UNKNOWN = "what other programs did is not known here"


@dataclass(frozen=True, kw_only=True)
class LoadLimits:
    """`doubtful_share`: more than this share of the machine's processor time, taken by others, makes a result doubtful
    if somebody had to wait for a core."""

    doubtful_share: float


def judged(load: MachineLoad, limits: LoadLimits) -> MachineLoad:
    """The figures with `doubtful`, and why, or why that is not known."""
    others = min(1.0, (load.foreign_share or 0.0) + (load.steal_share or 0.0))
    if others > limits.doubtful_share and not _is_calm(load):
        return load.model_copy(update={"doubtful": True, "why": _why(load)})
    return load.model_copy(update={"why": None if load.foreign_share is not None else UNKNOWN})


def _is_calm(load: MachineLoad) -> bool:
    if load.some_pressure_share is not None:
        return load.some_pressure_share < CALM_PRESSURE
    return load.run_queue_per_cpu is not None and load.run_queue_per_cpu < CALM_QUEUE


def _why(load: MachineLoad) -> str:
    shares = (("other programs", load.foreign_share or 0.0), ("other virtual machines", load.steal_share or 0.0))
    largest = max(share for _, share in shares)
    taken = " and ".join(f"{who} took {share:.0%}" for who, share in shares if share >= min(largest, _WORTH))
    waited = ""
    if load.some_pressure_share is not None:
        waited = f"; something waited for a core {load.some_pressure_share:.0%} of the time"
    return f"{taken} of the processor time{waited}"
