"""`analysis/` of a run: its trials laid side by side, for programs and for DuckDB. A projection of the run directory.

Of an official evaluation it holds nothing that the run's outcome does not hold: of the metrics, the primary one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from agentics.errors import StorageError
from agentics.model.document.record import Mode
from agentics.model.evidence.setup_record import SetupRecord
from agentics.model.run.analysis import (
    AnalysisComparisons,
    AnalysisSummary,
    BindingRow,
    MetricRow,
    Tables,
    TrialEvents,
    TrialRow,
    VariantEvents,
    VariantRow,
)
from agentics.model.run.benchmark import ScoreRecord
from agentics.model.run.design import Comparison
from agentics.model.run.directory import InvocationStarted, TaskSkipped
from agentics.model.run.experiment import ResolvedExperiment
from agentics.model.run.experiment_file import SOLUTION
from agentics.model.run.outcome import PrimaryMetric
from agentics.policy.compare.variants import Observation, compare, summarise
from agentics.policy.run.benchmark import trial_summary
from agentics.policy.trust import is_of_a_model
from agentics.policy.verdict.decision import doubts_what_was_measured, judge
from agentics.rundir.benchmark import AdapterOutput, read_benchmark
from agentics.rundir.files import ledger, safe_files
from agentics.rundir.files.atomic import read_document
from agentics.rundir.files.layout import Layout, TrialLayout
from agentics.rundir.open_run import SlotKey
from agentics.rundir.projections.jobs import job_facts
from agentics.rundir.reader import RunView, TrialView, check_slots, read_evidence

PRUNED = "skipped_pruned"
PENDING = "pending"
_SETUPS: TypeAdapter[Any] = TypeAdapter(SetupRecord)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A run's slots by variant, the baseline first, each with its trial or with why there is none; and what was told of
    its trials."""

    run_id: str
    mode: Mode
    comparison: Comparison
    baseline: str
    bindings: Mapping[str, Mapping[str, Any]]
    slots: Mapping[str, tuple[tuple[SlotKey, TrialView | None, str], ...]]
    events: Mapping[str, Mapping[str, int]]
    """By trial: how many events of each kind."""

    @property
    def observations(self) -> dict[str, list[Observation]]:
        return {name: [_observation(*each) for each in slots] for name, slots in self.slots.items()}


def read_sheet(view: RunView) -> Sheet:
    """Everything that the projections are made of. Raises StorageError where the resolved experiment is damaged."""
    found = read_document(view.layout.resolved, ResolvedExperiment)
    names = list(dict.fromkeys([*([v.variant_id for v in found.variants] if found else ()), *view.variants.values()]))
    scores = _scores(view)
    trials = {trial.slot: _scored(trial, scores.get(trial.ids.trial_id)) for trial in view.trials}
    pruned = set(_pruned(view.layout, names, _task_refs(found, view)))
    skipped = {(e.variant, e.task): e.reason for e in view.entries if isinstance(e, TaskSkipped)}
    replications = found.design.replications if found else 1
    check_slots(view.layout.resolved, len(names) * len(_task_refs(found, view)) * replications)

    def one(slot: SlotKey) -> tuple[SlotKey, TrialView | None, str]:
        why = PRUNED if slot in pruned else skipped.get(slot[:2], PENDING)
        return slot, trials.get(slot), why

    tasks = _tasks_by_variant(found, view)
    expected = {name: [(name, task, r) for task in tasks.get(name, ()) for r in range(replications)] for name in names}
    for slot in trials:
        expected.setdefault(slot[0], []).append(slot)
    expected = {name: list(dict.fromkeys(slots)) for name, slots in expected.items()}
    return Sheet(
        run_id=view.manifest.run_id,
        mode="official" if found is not None and found.dataset.split_id == "official" else "validation",
        comparison=found.design.comparison if found else "none",
        baseline=next(iter(expected), ""),
        bindings={v.variant_id: v.bindings for v in found.variants} if found else {},
        slots={name: tuple(map(one, slots)) for name, slots in expected.items()},
        events=_events(view.trials),
    )


def _scores(view: RunView) -> dict[str, ScoreRecord]:
    """What the benchmark's adapter said, by trial; nothing where there is none, or none that can be believed."""
    found = read_benchmark(view.layout.root, view.manifest.run_id)
    return {score.ids.trial_id: score for score in found.scores} if isinstance(found, AdapterOutput) else {}


def _scored(trial: TrialView, score: ScoreRecord | None) -> TrialView:
    """The trial as summaries have it: where the benchmark scored it, that counts. Its own result stays as it is."""
    if score is None or trial.result is None:
        return trial
    told = trial_summary(trial.result, score)
    metric = None
    if told.objective is not None:
        metric = PrimaryMetric(
            metric_name=told.objective.name, value=told.objective.value, direction=told.objective.direction
        )
    update = {"outcome": told.outcome, "metrics": told.metrics, "objective": told.objective}
    ext = trial.result.ext.model_copy(update={"primary_metric": metric})
    return replace(trial, result=trial.result.model_copy(update={**update, "ext": ext}))


def summary(sheet: Sheet) -> AnalysisSummary:
    by_variant = variant_events(sheet)
    return AnalysisSummary(
        run_id=sheet.run_id,
        baseline_id=sheet.baseline,
        comparison=sheet.comparison,
        variants={name: summarise(seen, by_variant[name]) for name, seen in sheet.observations.items()},
    )


def comparisons(sheet: Sheet) -> AnalysisComparisons:
    return AnalysisComparisons(
        run_id=sheet.run_id,
        comparison=sheet.comparison,
        comparisons=tuple(compare(sheet.observations, sheet.baseline, sheet.comparison)) if sheet.slots else (),
    )


def tables(sheet: Sheet) -> Tables:
    owner = {trial.ids.trial_id: name for name, slots in sheet.slots.items() for _, trial, _ in slots if trial}
    return Tables(
        trials=tuple(_trial_row(sheet, *each) for slots in sheet.slots.values() for each in slots),
        metrics_long=tuple(
            row for slots in sheet.slots.values() for _, trial, _ in slots if trial for row in _metric_rows(trial)
        ),
        event_counts_by_trial=tuple(
            TrialEvents(run_id=sheet.run_id, trial_id=trial, variant_id=owner[trial], event=event, count=count)
            for trial, counts in sheet.events.items()
            if trial in owner
            for event, count in sorted(counts.items())
        ),
        event_counts_by_variant=tuple(
            VariantEvents(run_id=sheet.run_id, variant_id=name, event=event, count=count)
            for name, counts in variant_events(sheet).items()
            for event, count in sorted(counts.items())
        ),
        variant_summary=tuple(_variant_rows(summary(sheet))),
        bindings_long=tuple(
            BindingRow(run_id=sheet.run_id, variant_id=name, binding_name=key, value_json=json.dumps(value))
            for name, given in sheet.bindings.items()
            for key, value in sorted(given.items())
            if key != SOLUTION
        ),
    )


def variant_events(sheet: Sheet) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name, slots in sheet.slots.items():
        counts: Counter[str] = Counter()
        for _, trial, _ in slots:
            counts.update(sheet.events.get(trial.ids.trial_id, {}) if trial else {})
        found[name] = dict(sorted(counts.items()))
    return found


def _observation(slot: SlotKey, trial: TrialView | None, why: str) -> Observation:
    result = trial.result if trial is not None else None
    if result is None:
        if trial is not None and trial.state is not None and trial.state.status in ("killed", "paused"):
            why = trial.state.status
        return Observation(task=slot[1], repl=slot[2], verdict=None, why=why)
    metric = result.ext.primary_metric
    match result.outcome:
        case "success" | "failure" as verdict:
            return Observation(task=slot[1], repl=slot[2], verdict=verdict, metric=metric)
        case "missing" | "error" as outcome:
            why = result.ext.reason or outcome
            return Observation(task=slot[1], repl=slot[2], verdict=None, why=why, metric=metric)


def _trial_row(sheet: Sheet, slot: SlotKey, trial: TrialView | None, why: str) -> TrialRow:
    result = trial.result if trial is not None else None
    ext = result.ext if result is not None else None
    metric = ext.primary_metric if ext is not None else None
    status = trial.state.status if trial is not None and trial.state is not None else why
    scope = trial.metadata.scope if trial is not None else None
    # A slot without a trial has no verdict; that it is missing is said in derived rows such as this one only.
    return TrialRow(
        run_id=sheet.run_id,
        trial_id=trial.ids.trial_id if trial is not None else None,
        variant_id=slot[0],
        task_id=slot[1],
        repl_idx=slot[2],
        is_baseline=slot[0] == sheet.baseline,
        trial_status=status,
        outcome=result.outcome if result is not None else "missing" if why == PRUNED else None,
        status=ext.status if ext is not None else "pending" if why == PENDING else "skipped",
        reason=ext.reason if ext is not None else None if why == PENDING else why,
        fault=ext.fault if ext is not None else None,
        mode=sheet.mode,
        attempts=trial.attempts if trial is not None else 0,
        started_at=ext.started_at if ext is not None else None,
        ended_at=ext.ended_at if ext is not None else None,
        wall_s=ext.wall_s if ext is not None else None,
        memory_peak_bytes=ext.memory_peak_bytes if ext is not None else None,
        primary_metric_name=metric.metric_name if metric is not None else None,
        primary_metric_value=metric.value if metric is not None else None,
        primary_metric_direction=metric.direction if metric is not None else None,
        primary_metric_n=metric.n if metric is not None else None,
        primary_metric_of=metric.of if metric is not None else None,
        bundle_digest=scope.bundle_digest if scope is not None else None,
        solution_digest=scope.solution_digest if scope is not None else None,
    )


def _metric_rows(trial: TrialView) -> Iterator[MetricRow]:
    result = trial.result
    if result is None:
        return
    primary = result.ext.primary_metric
    shown: dict[str, Any] = dict(result.metrics) if result.ext.mode == "validation" else {}
    if primary is not None:
        shown.setdefault(primary.metric_name, primary.value)
    facts = job_facts(trial) if is_of_a_model(result.ext.trust) else None
    measured = facts.result.metrics if facts is not None and facts.result is not None else {}
    for name, value in shown.items():
        number, model = _number(value), measured.get(name)
        yield MetricRow(
            run_id=trial.ids.run_id,
            trial_id=trial.ids.trial_id,
            variant_id=trial.ids.variant_id,
            task_id=trial.ids.task_id,
            repl_idx=trial.ids.repl_idx,
            metric_name=name,
            metric_value=number,
            metric_text=None if number is not None or value is None else json.dumps(value).strip('"'),
            metric_n=model.n if model is not None else None,
            metric_of=model.of if model is not None else None,
            is_primary=primary is not None and primary.metric_name == name,
        )


def _number(value: object) -> float | None:
    """None for what is no number, and for a whole number that is too large to be one of these."""
    with suppress(OverflowError):
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return None


def _variant_rows(found: AnalysisSummary) -> Iterator[VariantRow]:
    for name, one in found.variants.items():
        yield VariantRow(
            run_id=found.run_id,
            variant_id=name,
            is_baseline=name == found.baseline_id,
            total=one.total,
            valid=one.valid,
            successes=one.successes,
            excluded=one.total - one.valid,
            success_rate=one.success_rate,
            success_low=one.success_interval.low if one.success_interval else None,
            success_high=one.success_interval.high if one.success_interval else None,
            primary_metric_name=one.primary_metric_name,
            primary_metric_mean=one.primary_metric_mean,
            samples=one.coverage.n if one.coverage is not None else None,
            samples_of=one.coverage.of if one.coverage is not None else None,
            partial_tasks=len(one.coverage.lacking) if one.coverage is not None else None,
        )


def _task_refs(found: ResolvedExperiment | None, view: RunView) -> list[str]:
    return [one.task for one in found.ext.tasks] if found else list(dict.fromkeys(t.ids.task_id for t in view.trials))


def _tasks_by_variant(found: ResolvedExperiment | None, view: RunView) -> dict[str, list[str]]:
    """What each variant was asked for, in the experiment's order: a model is not tried on a challenge, nor on the tasks
    of another model's job."""
    asked: dict[str, set[str]] = {}
    for entry in view.entries:
        if isinstance(entry, InvocationStarted):
            for directory, refs in entry.requested.items():
                asked.setdefault(entry.variants[directory], set()).update(refs)
    order = dict.fromkeys(_task_refs(found, view))
    return {name: [task for task in order if task in refs] for name, refs in asked.items()}


def _pruned(layout: Layout, variants: Sequence[str], tasks: Sequence[str]) -> Iterator[SlotKey]:
    """The slots that the schedule's progress calls pruned, which never had a trial."""
    progress = _object(layout.runtime / "schedule_progress.json")
    schedule = _list(progress.get("schedule"))
    for done in _list(progress.get("completed_slots")):
        if done.get("status") == PRUNED and _has(schedule, done.get("schedule_index")):
            slot = schedule[done["schedule_index"]]
            variant, task, repl = (slot.get(key) for key in ("variant_idx", "task_idx", "repl_idx"))
            if _has(variants, variant) and _has(tasks, task) and isinstance(repl, int):
                yield (variants[variant], tasks[task], repl)


def _has(items: Sequence[Any], index: object) -> bool:
    return isinstance(index, int) and 0 <= index < len(items)


def _list(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(safe_files.read_file(path))
    except (OSError, StorageError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _events(trials: Iterable[TrialView]) -> dict[str, dict[str, int]]:
    """By trial, what was told of it, from what its attempts hold: an event is told after the fact that it is about, and
    nothing is made of events."""
    found = {trial.ids.trial_id: _events_of(trial) for trial in trials}
    return {name: counts for name, counts in found.items() if counts}


def _events_of(trial: TrialView) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for number in TrialLayout(trial.root).attempt_numbers():
        place = trial.root / "attempts" / str(number)
        counts["trial_started"] += (place / "plan.json").exists()
        counts["setup_finished"] += len(ledger.read(place / "setups.jsonl", _SETUPS))
        with suppress(StorageError):
            evidence = read_evidence(trial, number)
            counts["trial_finished"] += evidence is not None
            counts["load_doubtful"] += evidence is not None and doubts_what_was_measured(judge(evidence), evidence)
    return {event: count for event, count in counts.items() if count}
