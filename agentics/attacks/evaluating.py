"""Evaluates all cases of a group in one run, and compares how each ended with what its header says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentics.attacks.catalogue import AttackCase, Ending
from agentics.attacks.groups import CANARY, FINE_LIE, HONEST, honest_after, lay_group
from agentics.attacks.rows import AttackRow, judged, unshown
from agentics.attacks.surroundings import LeftoverWatch, Machine, leftovers, own_resources
from agentics.config import Config
from agentics.errors import Stopped
from agentics.model.run.outcome import TaskRecord
from agentics.request.campaign import EvalRequest, compile_request
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.reader import RunView, TrialView, read_evidence, read_run
from agentics.usecases.evaluate import EndedRun, evaluate

ESCAPED = b"NOT CONTAINED"
"""What a case prints that was allowed what it must not be."""
_SHOWN = 200
_STOPPED = 128


@dataclass(frozen=True)
class Evaluated:
    """An evaluation after it ended, and what was left by it."""

    ended: EndedRun
    view: RunView
    left: dict[str, list[str]]
    leftovers: list[str]

    def task(self, variant: str) -> TaskRecord:
        return next(next(iter(o.tasks.values())) for o in self.ended.outcomes if o.model == variant)

    def trial(self, variant: str) -> TrialView | None:
        return next((trial for trial in self.view.trials if trial.ids.variant_id == variant), None)

    def participant_bytes(self, variant: str) -> bytes:
        """Everything that a participant's program said or left."""
        trial = self.trial(variant)
        evidence, artifacts = read_evidence(trial) if trial else None, ArtifactStore(self.view.layout.artifacts)
        if evidence is None:
            return b""
        refs = [file.ref for case in evidence.cases for file in case.files]
        refs += [one.log_ref for one in evidence.containers if one.role in ("setup", "build", "run") and one.log_ref]
        refs += [one.shared.log_ref for one in evidence.containers if one.shared and one.shared.log_ref]
        return b"\n".join(artifacts.read(ref) for ref in refs)


def run_group(
    name: str, cases: Sequence[AttackCase], config: Config, root: Path, tell: Callable[[str], None]
) -> Evaluated:
    """Evaluate the cases in official mode, an honest solution between them.

    `config` names scratch space that nobody else uses; `root` is a directory of this group's own; `tell` hears each
    variant that is over. Raises Stopped when a signal ended it."""
    group = lay_group(name, cases, root)
    return evaluate_solutions(config, root, group.bundle, group.overlay, group.solutions, tell)


def judge_group(name: str, cases: Sequence[AttackCase], seen: Evaluated, machine: Machine) -> list[AttackRow]:
    """A row for each case, and one for what the group left."""
    rows = [_row(case, seen, machine) for case in cases]
    public = [f"{path}: {what}" for path, what in _public_canaries(seen)]
    events = [] if _are_events(seen.view.layout.events.read_bytes()) else ["events.jsonl holds what is no event"]
    after = [*seen.leftovers, *public, *events]
    expected, found = Ending(status="nothing left"), Ending(status=f"{len(after)} things" if after else "nothing left")
    return [*rows, AttackRow.of_group(name, expected, found, after)]


def _row(case: AttackCase, seen: Evaluated, machine: Machine) -> AttackRow:
    if seen.task(case.name).reason == "users_not_apart":
        return unshown(case, machine, f"under {machine.runtime} no solution is run beside an evaluator")
    return judged(case, machine, _found(seen, case), list(_problems(seen, case)))


def _found(seen: Evaluated, case: AttackCase) -> Ending:
    task = seen.task(case.name)
    return Ending(status=task.status, reason=task.reason, fault=task.fault)


def _problems(seen: Evaluated, case: AttackCase) -> Iterator[str]:
    """What is wrong besides the ending."""
    said, task = seen.participant_bytes(case.name), seen.task(case.name)
    if case.group != "lies":
        yield from _said(said)
    if task.status == "passed":
        metric = task.primary_metric
        right = FINE_LIE if case.group == "lies" else 1
        if metric is None or metric.value != right:
            yield f"it passed with {metric.value if metric else 'no score'} in place of {right}"
    elif case.group == "lies" and task.primary_metric is not None:
        yield f"a lie became a score: {task.primary_metric.value}"
    if left := seen.left.get(case.name):
        yield f"containers still ran after it: {', '.join(left)}"
    if case.targets_machine and case.group != "lies":
        yield from _honest(seen, case)


def _said(said: bytes) -> Iterator[str]:
    for word in (ESCAPED, CANARY.encode()):
        where = said.find(word)
        if where >= 0:
            yield said[where : where + _SHOWN].decode(errors="replace")


def _honest(seen: Evaluated, case: AttackCase) -> Iterator[str]:
    before, after = seen.task(HONEST), seen.task(honest_after(case))
    if (before.status, before.primary_metric and before.primary_metric.value) != ("passed", 1):
        yield f"the honest solution does not pass: {before.status} {before.reason}"
    elif (after.status, after.primary_metric) != (before.status, before.primary_metric):
        yield f"the next honest solution ended differently: {after.status} {after.reason}"


def _public_canaries(seen: Evaluated) -> Iterator[tuple[str, str]]:
    """Canaries in what anybody may read of a run."""
    layout = seen.view.layout
    files = [layout.events, *sorted(layout.root.glob("*/run_outcome.json")), *sorted(layout.root.glob("public/**/*"))]
    for path in files:
        if path.is_file():
            data = path.read_bytes()
            where = data.find(CANARY.encode())
            if where >= 0:
                yield path.name, data[max(0, where - 40) : where + _SHOWN].decode(errors="replace")


def _are_events(data: bytes) -> bool:
    """Whether each line is one JSON object: nothing that a participant wrote made lines of its own."""
    try:
        return all(isinstance(json.loads(line), dict) for line in data.splitlines())
    except ValueError:
        return False


def evaluate_solutions(
    config: Config, root: Path, bundle: Path, overlay: Path, solutions: dict[str, Path], tell: Callable[[str], None]
) -> Evaluated:
    """Evaluate, and look around before and after. Raises Stopped when a signal ended it."""
    watch = LeftoverWatch(config, tell)
    request = EvalRequest(
        bundles=(bundle,),
        solutions=tuple(solutions.items()),
        output_path=root / "outputs",
        mode="official",
        overlays=((None, overlay),),
    )
    before = own_resources()
    ended = evaluate(compile_request(request, config), watch)
    if ended.exit_status > _STOPPED:
        stopped = Stopped("stopped before the suite was over")
        stopped.exit_status = ended.exit_status
        raise stopped
    return Evaluated(ended=ended, view=read_run(ended.run_dir), left=watch.left, leftovers=leftovers(config, before))
