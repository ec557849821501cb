"""How busy a machine was while something was measured on it."""

from __future__ import annotations

from agentics.model.document.record import Record


class MachineLoad(Record):
    """How busy the machine was during an attempt, each figure None where it is not known.

    Shares of the attempt's time: `some_pressure_share`, in which some task waited for a core. Shares of the processor
    time of all cores: `foreign_share`, that programs took which are not of this run, and `steal_share`, that other
    virtual machines took. `run_queue_per_cpu`: tasks that run or wait, the kernel's average of the last minute.
    `doubtful`: others disturbed what was measured. `why`: what made it doubtful, or why that is not known.
    """

    observed_s: float
    some_pressure_share: float | None = None
    foreign_share: float | None = None
    steal_share: float | None = None
    run_queue_per_cpu: float | None = None
    doubtful: bool = False
    why: str | None = None
