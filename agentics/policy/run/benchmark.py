"""Decisions at the benchmark boundary: which adapter is asked for, what its rows have to agree with, and what scores
come to. Knows no benchmark: a verdict is a word that an adapter said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, NoReturn

from pydantic import ValidationError

from agentics.errors import UsageError
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import Rule
from agentics.model.document.record import Ids
from agentics.model.run.benchmark import (
    AdapterManifest,
    BenchmarkName,
    BenchmarkSummary,
    EvidenceLine,
    PredictionRecord,
    ScoreRecord,
    ScoreVerdict,
    Totals,
    TrialSummary,
    VariantTotals,
)
from agentics.model.run.design import AdapterCommand
from agentics.model.run.directory import Objective, ResultOutcome, TrialResult

OUTCOMES: Mapping[ScoreVerdict, ResultOutcome] = {
    "pass": "success",
    "fail": "failure",
    "missing": "missing",
    "error": "error",
}
EVIDENCE_CLASSES = (
    "trial_input_ref",
    "trial_output_ref",
    "workspace_pre_ref",
    "workspace_post_ref",
    "diff_incremental_ref",
    "diff_cumulative_ref",
    "patch_incremental_ref",
    "patch_cumulative_ref",
    "stdout_ref",
    "stderr_ref",
    "hook_events_ref",
    "harness_request_ref",
    "harness_response_ref",
    "supplemental_refs",
)
_COUNTING: frozenset[ScoreVerdict] = frozenset({"pass", "fail"})
_POLICY_KEYS = {
    "task_model": "independent",
    "reset_strategy": "per_trial",
    "chain_failure_policy": "continue_with_flag",
}
"""Each trial stands alone here: of these keys one value can be had, and the others are refused."""
_MODES = {"scoring_lifecycle": "execution_mode", "evaluator_mode": "evaluator_mode"}

AdapterRow = PredictionRecord | ScoreRecord


def check_benchmark(section: object) -> AdapterCommand:
    """What `/benchmark` of an experiment asks for. Raises UsageError; `adapter_command_missing` where no program is
    named: scores come from an adapter or not at all."""
    benchmark = _object(section, "/benchmark")
    adapter = _object(benchmark.get("adapter"), "/benchmark/adapter")
    policy = _object(benchmark.get("policy"), "/benchmark/policy")
    command = _command(adapter.get("command"))
    _known(benchmark, ("adapter", "policy"), "/benchmark")
    _known(adapter, ("command", "timeout_s"), "/benchmark/adapter")
    _known(policy, (*_POLICY_KEYS, *_MODES, "required_evidence_classes"), "/benchmark/policy")
    for key, only in _POLICY_KEYS.items():
        if policy.get(key, only) != only:
            _unsupported(f"/benchmark/policy/{key}", f"only {only!r} can be had: every trial stands alone")
    wanted = {ours: policy[theirs] for theirs, ours in _MODES.items() if theirs in policy}
    if "timeout_s" in adapter:
        wanted["timeout_s"] = adapter["timeout_s"]
    try:
        return AdapterCommand(command=command, required_evidence=_classes(policy), **wanted)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        msg = f"/benchmark: {first['loc'][0]}: {first['msg']}"
        raise UsageError(msg, code="invalid_benchmark") from error


def newest(lines: Iterable[EvidenceLine]) -> tuple[EvidenceLine, ...]:
    """The evidence that counts: of each trial its last attempt's, in the order of the ledger's trials."""
    last: dict[str, EvidenceLine] = {}
    for line in lines:
        before = last.get(line.ids.trial_id)
        if before is None or before.attempt <= line.attempt:
            last[line.ids.trial_id] = line
    return tuple(last.values())


def lacking(lines: Sequence[EvidenceLine], required: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Trial and evidence class, for every class that is required and not there."""
    return tuple((line.ids.trial_id, name) for line in lines for name in required if not line.evidence.get(name))


def manifest_rules(adapter: AdapterCommand) -> tuple[Rule[AdapterManifest], ...]:
    """What the experiment declared of its adapter, its manifest has to say too."""

    def lifecycle(manifest: AdapterManifest) -> Iterator[Problem]:
        if adapter.execution_mode not in (None, manifest.execution_mode):
            message = f"the experiment's scoring_lifecycle is {adapter.execution_mode}"
            yield Problem(code="execution_mode_differs", message=message, path=("execution_mode",))

    def evaluator(manifest: AdapterManifest) -> Iterator[Problem]:
        if adapter.evaluator_mode not in (None, manifest.evaluator.mode):
            message = f"the experiment's evaluator_mode is {adapter.evaluator_mode}"
            yield Problem(code="evaluator_mode_differs", message=message, path=("evaluator", "mode"))

    return Rule(needs=("execution_mode",), check=lifecycle), Rule(needs=("evaluator",), check=evaluator)


def row_rules(manifest: AdapterManifest | None, trials: Mapping[str, Ids]) -> tuple[Rule[Any], ...]:
    """A row is about a trial of this run, and about the manifest's benchmark."""

    def ours(row: AdapterRow) -> Iterator[Problem]:
        known = trials.get(row.ids.trial_id)
        if known is None:
            message = f"this run has no evidence of a trial {row.ids.trial_id!r:.100}"
            yield Problem(code="foreign_trial", message=message, path=("ids", "trial_id"))
            return
        for key, value in known:
            if getattr(row.ids, key) != value:
                message = f"{known.trial_id} has another {key}"
                yield Problem(code="ids_differ", message=message, path=("ids", key))

    def declared(row: AdapterRow) -> Iterator[Problem]:
        yield from _same_benchmark(manifest, row.benchmark)

    return Rule(needs=("ids",), check=ours), Rule(needs=("benchmark",), check=declared)


def summary_rules(manifest: AdapterManifest | None, run_id: str) -> tuple[Rule[BenchmarkSummary], ...]:
    """A summary is of this run and of the manifest's benchmark."""

    def ours(summary: BenchmarkSummary) -> Iterator[Problem]:
        if summary.run_id != run_id:
            yield Problem(code="foreign_run", message=f"this run is {run_id}", path=("run_id",))

    def declared(summary: BenchmarkSummary) -> Iterator[Problem]:
        yield from _same_benchmark(manifest, summary.benchmark)

    return Rule(needs=("run_id",), check=ours), Rule(needs=("benchmark",), check=declared)


def summarize(
    manifest: AdapterManifest, scores: Sequence[ScoreRecord], *, run_id: str, trials: int, created_at: str
) -> BenchmarkSummary:
    """The scores added up, and nothing else. `trials`: how many there are evidence of; those without a score count in
    no total, and `ext` says how many they are."""
    variants: dict[str, list[ScoreRecord]] = {}
    for score in scores:
        variants.setdefault(score.ids.variant_id, []).append(score)
    source = manifest.benchmark
    return BenchmarkSummary(
        schema_version="benchmark_summary_v1",
        created_at=created_at,
        run_id=run_id,
        benchmark=BenchmarkName(
            adapter_id=manifest.adapter_id, name=source.name, version=source.version, split=source.split
        ),
        evaluator=manifest.evaluator,
        totals=Totals.model_validate({"trials": len(scores), **_verdicts(scores)}),
        variants=tuple(_variant(name, rows) for name, rows in variants.items()),
        ext={"generated_by": "runner", "unscored_trials": trials - len(scores)},
    )


def trial_summary(result: TrialResult, score: ScoreRecord | None) -> TrialSummary:
    """The trial with what the benchmark says of it; without a score it is what its result says."""
    if score is None:
        return TrialSummary(ids=result.ids, outcome=result.outcome, metrics=result.metrics, objective=result.objective)
    return TrialSummary(
        ids=result.ids,
        outcome=OUTCOMES[score.verdict],
        metrics={**result.metrics, "benchmark_verdict": score.verdict},
        objective=_objective(result.objective, score) if score.verdict in _COUNTING else None,
    )


def _objective(own: Objective | None, score: ScoreRecord) -> Objective:
    direction = own.direction if own is not None and own.name == score.primary_metric_name else None
    return Objective(name=score.primary_metric_name, value=score.primary_metric_value, direction=direction)


def _variant(name: str, scores: Sequence[ScoreRecord]) -> VariantTotals:
    verdicts = _verdicts(scores)
    counting = [score for score in scores if score.verdict in _COUNTING]
    metrics = {score.primary_metric_name for score in counting}
    # Numbers of different metrics have no mean.
    one = metrics.pop() if len(metrics) == 1 else None
    return VariantTotals.model_validate(
        {
            "variant_id": name,
            "total": len(scores),
            **verdicts,
            "pass_rate": verdicts["pass"] / len(scores),
            "primary_metric_name": one,
            "primary_metric_mean": fmean(score.primary_metric_value for score in counting) if one else None,
        }
    )


def _verdicts(scores: Iterable[ScoreRecord]) -> dict[str, int]:
    told = Counter(score.verdict for score in scores)
    return {verdict: told[verdict] for verdict in OUTCOMES}


def _same_benchmark(manifest: AdapterManifest | None, said: BenchmarkName) -> Iterator[Problem]:
    if manifest is None:
        return
    source = manifest.benchmark
    declared = {"adapter_id": manifest.adapter_id, "name": source.name, "split": source.split}
    if said.version is not None:
        declared["version"] = source.version or ""
    for key, value in declared.items():
        if getattr(said, key) != value:
            message = f"the manifest says {value!r:.100}" if value else "the manifest names no version"
            yield Problem(code="benchmark_differs", message=message, path=("benchmark", key))


def _command(given: object) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(word, str) for word in given):
        given = ()
    words: tuple[str, ...] = tuple(given)
    if not words or not words[0].strip() or any("\0" in word for word in words):
        msg = "/benchmark/adapter/command names no program"
        hint = 'an argument list, such as ["python", "adapter.py"]; or leave /benchmark out: then there are no scores'
        raise UsageError(msg, code="adapter_command_missing", hint=hint)
    return words


def _classes(policy: Mapping[str, object]) -> tuple[str, ...]:
    wanted = policy.get("required_evidence_classes", ())
    if not isinstance(wanted, list | tuple):
        wanted = (wanted,)
    for index, name in enumerate(wanted):
        if name not in EVIDENCE_CLASSES:
            msg = f"/benchmark/policy/required_evidence_classes/{index}: there is no evidence class {name!r:.100}"
            raise UsageError(msg, code="unknown_evidence_class", hint=f"there is {', '.join(EVIDENCE_CLASSES)}")
    return tuple(str(name) for name in wanted)


def _object(value: object, pointer: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        msg = f"{pointer} is not an object"
        raise UsageError(msg, code="invalid_benchmark")
    return value


def _known(section: Mapping[str, object], keys: Sequence[str], pointer: str) -> None:
    for key in section:
        if key not in keys:
            hint = "the adapter writes its manifest itself" if key == "manifest" else f"known: {', '.join(keys)}"
            _unsupported(f"{pointer}/{key}", hint)


def _unsupported(pointer: str, hint: str) -> NoReturn:
    msg = f"{pointer} is not supported"
    raise UsageError(msg, code="unsupported_field", hint=hint)
