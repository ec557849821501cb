"""Decisions on trials made from other trials: from which checkpoint, what is reused, and what a replay is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentics.errors import UsageError
from agentics.model.evidence.hooks import StepEnd
from agentics.model.evidence.trial_evidence import Checkpoint
from agentics.model.plan.trial_plan import Plan
from agentics.model.run.control import ReplayGrade, ReuseStep
from agentics.model.run.design import Integration
from agentics.policy.hooks import read_line

_GRADES: tuple[ReplayGrade, ...] = ("strict", "checkpointed", "best_effort", "none")
_BY_LEVEL: dict[Integration, ReplayGrade] = {"sdk_full": "strict", "sdk_control": "checkpointed"}
OF_THE_SOLUTION = ("prepare", "solution_setup", "solution_build")
"""Stages that only the solution's own cases need."""


def grade(level: Integration, differences: Sequence[str], *, midway: bool = False) -> ReplayGrade:
    """What running a trial again proves: by how far its solution takes part, at best `checkpointed` where it did not
    begin with its input (`midway`), and one step less where its image, bundle or inputs are no longer the recorded
    ones."""
    best = max(_GRADES.index(_BY_LEVEL.get(level, "best_effort")), _GRADES.index("checkpointed") if midway else 0)
    return _GRADES[best + 1] if differences else _GRADES[best]


def names_a_checkpoint(selector: str) -> bool:
    """Whether a selector names one checkpoint, which has to be there; the others may find none."""
    return selector.startswith("checkpoint:")


def selected(selector: str, checkpoints: Iterable[Checkpoint], events: bytes = b"") -> Checkpoint | None:
    """The checkpoint of one case that a selector means: `checkpoint:<name>`, `step:<n>`, or `event_seq:<n>`, the last
    one that was there when the event of that number was told. None: there is none. Raises UsageError (bad_selector)."""
    kind, _, value = selector.partition(":")
    usable = [each for each in checkpoints if each.violation is None]
    if kind == "checkpoint" and value:
        return next((each for each in usable if each.name == value), None)
    if kind not in ("step", "event_seq") or not value.isdecimal():
        msg = f"not a selector: {selector!r}"
        raise UsageError(msg, code="bad_selector", hint="checkpoint:NAME, step:N or event_seq:N")
    if kind == "step":
        return next((each for each in usable if each.step == int(value)), None)
    over = _steps_over(events, int(value))
    before = [each for each in usable if each.step is not None and each.step <= over]
    return max(before, key=lambda each: each.step or 0, default=None)


def reuse(plan: Plan, differences: Sequence[str], checkpoint: str | None, *, whole: bool) -> tuple[ReuseStep, ...]:
    """What becomes of each stage of the parent. Its cases stand for new ones where nothing differs that they depend on
    and all that they left is there (`whole`); the evaluator always says it again."""
    why = _why_rerun(plan, differences, checkpoint, whole=whole)
    steps = []
    for stage in plan.stages:
        if stage.name in (*OF_THE_SOLUTION, "cases") and why is None:
            steps.append(ReuseStep(stage=stage.name, action="reuse", reason="nothing that it depends on differs"))
        elif stage.name in (*OF_THE_SOLUTION, "cases", "session"):
            steps.append(ReuseStep(stage=stage.name, action="rerun", reason=why or "it is not kept"))
        else:
            steps.append(ReuseStep(stage=stage.name, action="rerun", reason="evaluated anew"))
    return tuple(steps)


def _why_rerun(plan: Plan, differences: Sequence[str], checkpoint: str | None, *, whole: bool) -> str | None:
    if not plan.facts.runs_cases:
        return "solution and evaluator run together"
    if differences:
        return f"{', '.join(differences)} differ"
    if checkpoint is not None:
        return f"its cases go on from {checkpoint}"
    return None if whole else "not all that its cases left is there"


def _steps_over(events: bytes, seq: int) -> int:
    """The last step that had ended when the event of this number was told; -1 before the first."""
    ended = -1
    for line in events.splitlines():
        hook = read_line(line)
        if isinstance(hook, str):
            continue
        if hook.seq > seq:
            break
        if isinstance(hook, StepEnd):
            ended = max(ended, hook.step_index)
    return ended
