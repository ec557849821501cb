"""`result.json`: what an evaluator says. Closed at the top, open below, because real evaluators write more there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from agentics.model.bundle.challenge import MetricSchema
from agentics.model.document.finding import Finding
from agentics.model.document.json_text import Path, Problem
from agentics.model.document.parsing import Rule, invalid, load
from agentics.model.document.size_caps import RESULT, Cap
from agentics.model.document.strict_types import I64, Document, List, MetricName, OpenDocument, RunName, Text

MAX_PUBLIC_RESULTS = 1024
MAX_LOG_BYTES = 262_144
JobMode = Literal["validation", "official"]
ResultStatus = Literal["passed", "failed", "error"]
Cases = Annotated[int, Field(ge=0, le=I64)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Metric(OpenDocument):
    metric_name: MetricName
    value: Finite


class RunMetrics(OpenDocument):
    run_name: RunName
    metrics: List[Metric] = ()


class CaseResult(OpenDocument):
    case_name: Text
    status: ResultStatus
    score: Finite
    message: str | None = None


class Summary(OpenDocument):
    """`passed` of `total` cases."""

    score: Finite
    passed: Cases
    total: Cases


class Result(Document):
    cap: ClassVar[Cap] = RESULT
    status: ResultStatus
    mode: JobMode | None = None
    aggregate_metrics: List[Metric] = ()
    run_metrics: List[RunMetrics] = ()
    public_results: List[CaseResult] = ()
    validation_summary: Summary | None = None
    official_summary: Summary | None = None
    logs: List[str] = ()


def check_result(
    data: bytes, schema: MetricSchema, mode: JobMode, file: str = "result.json"
) -> Result | tuple[Finding, ...]:
    """The result, its mode set to the job's, or what is wrong with it."""
    loaded = load(Result, data, file, _rules(schema, mode))
    if loaded.value is None:
        return loaded.findings
    return loaded.value.model_copy(update={"mode": mode})


def read_result(data: bytes, schema: MetricSchema, mode: JobMode, file: str = "result.json") -> Result:
    """As `check_result`. Raises InvalidDocument with all findings."""
    found = check_result(data, schema, mode, file)
    if isinstance(found, tuple):
        raise invalid(found)
    return found


def _rules(schema: MetricSchema, mode: JobMode) -> tuple[Rule[Result], ...]:
    return (
        Rule(needs=("public_results",), check=_few_cases),
        Rule(needs=("logs",), check=_short_logs),
        Rule(needs=("mode",), check=lambda result: _same_mode(result, mode)),
        Rule(needs=("aggregate_metrics", "run_metrics"), check=_unique_names),
        Rule(needs=("validation_summary", "official_summary"), check=lambda result: _summaries(result, mode)),
        Rule(needs=("aggregate_metrics", "run_metrics"), check=lambda result: _metrics_allowed(result, schema, mode)),
        Rule(needs=("aggregate_metrics",), check=lambda result: _primary(result, schema, mode)),
    )


def _few_cases(result: Result) -> Iterator[Problem]:
    if len(result.public_results) > MAX_PUBLIC_RESULTS:
        message = f"{len(result.public_results)} public results, at most {MAX_PUBLIC_RESULTS} are allowed"
        yield Problem(code="too_many_public_results", message=message, path=("public_results",))


def _short_logs(result: Result) -> Iterator[Problem]:
    size = sum(len(line.encode()) for line in result.logs)
    if size > MAX_LOG_BYTES:
        message = f"{size} bytes of logs, at most {MAX_LOG_BYTES} are allowed"
        yield Problem(code="logs_too_long", message=message, path=("logs",))


def _same_mode(result: Result, mode: JobMode) -> Iterator[Problem]:
    if result.mode is not None and result.mode != mode:
        message = f"the result is of mode {result.mode}, the job of mode {mode}"
        yield Problem(code="mode_mismatch", message=message, path=("mode",))


def _unique_names(result: Result) -> Iterator[Problem]:
    yield from _repeated([m.metric_name for m in result.aggregate_metrics], ("aggregate_metrics",), "metric_name")
    yield from _repeated([r.run_name for r in result.run_metrics], ("run_metrics",), "run_name")
    for index, run in enumerate(result.run_metrics):
        path: Path = ("run_metrics", index, "metrics")
        yield from _repeated([m.metric_name for m in run.metrics], path, "metric_name")


def _repeated(names: list[str], path: Path, key: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield Problem(code="duplicate_name", message=f"{key} {name!r} is there twice", path=(*path, index, key))
        seen.add(name)


def _summaries(result: Result, mode: JobMode) -> Iterator[Problem]:
    sides: dict[str, Summary | None] = {
        "validation_summary": result.validation_summary,
        "official_summary": result.official_summary,
    }
    for key, summary in sides.items():
        if summary is not None and summary.passed > summary.total:
            message = f"{summary.passed} passed of {summary.total}"
            yield Problem(code="passed_above_total", message=message, path=(key, "passed"))
    if sides[f"{mode}_summary"] is None:
        message = f"a {mode} job needs {mode}_summary"
        yield Problem(code="summary_missing", message=message, path=(f"{mode}_summary",))


def _metrics_allowed(result: Result, schema: MetricSchema, mode: JobMode) -> Iterator[Problem]:
    visibility = {metric.name: metric.visibility for metric in schema.metrics}
    for path, name in _named(result):
        if name not in visibility:
            hint = f"metric_schema declares {', '.join(visibility)}"
            yield Problem(code="undeclared_metric", message=f"metric {name!r} is not declared", path=path, hint=hint)
        elif mode == "validation" and visibility[name] == "official":
            message = f"metric {name!r} is official and must not appear in a validation result"
            yield Problem(code="official_metric", message=message, path=path)


def _named(result: Result) -> Iterator[tuple[Path, str]]:
    for index, metric in enumerate(result.aggregate_metrics):
        yield ("aggregate_metrics", index, "metric_name"), metric.metric_name
    for index, run in enumerate(result.run_metrics):
        for inner, metric in enumerate(run.metrics):
            yield ("run_metrics", index, "metrics", inner, "metric_name"), metric.metric_name


def _primary(result: Result, schema: MetricSchema, mode: JobMode) -> Iterator[Problem]:
    primary = schema.ranking.primary_metric_name
    if mode == "official" and all(metric.metric_name != primary for metric in result.aggregate_metrics):
        message = f"an official result needs the primary metric {primary!r}"
        yield Problem(code="primary_metric_missing", message=message, path=("aggregate_metrics",))
