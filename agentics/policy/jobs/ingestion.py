"""A results file back to rows. A file of another run, another job or another kind is refused, never half read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentics.errors import Refused
from agentics.model.document.parsing import parse
from agentics.model.job.job_result import JobResult
from agentics.model.job.result_files import Ingested, IngestedHash, IngestedMetric, Origin, ResultsFile

INGESTER = "1.0"
"""`major.minor`: rows of one major version mean the same."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a results file must say of itself."""

    run_id: str
    jobspec_digest: str
    plan_digest: str


def ingest(data: bytes, expected: Expected, file: str = "results.json") -> Ingested:
    """The same file, the same rows.

    Raises InvalidDocument for what is no results file of ours, and Refused for one of something else
    (`results_foreign`), of rules not known here (`ingester_unknown`), or that was changed (`results_altered`).
    """
    found = parse(ResultsFile, data, file)
    origin = found.agentics
    _check_version(origin, file)
    for name in ("run_id", "jobspec_digest", "plan_digest"):
        said, wanted = getattr(origin, name), getattr(expected, name)
        if said != wanted:
            msg = f"{file} is of another {name.replace('_', ' ')}: {said!r:.100}, not {wanted!r:.100}"
            raise Refused(msg, code="results_foreign", hint="name the results of this very run")
    for ref, result in origin.tasks.items():
        _check_values(found, ref, result, file)
    return Ingested(
        metrics=tuple(row for result in origin.tasks.values() for row in _metric_rows(origin, result)),
        hashes=tuple(_hash_row(origin, result) for result in origin.tasks.values()),
        missing=origin.missing,
        suite=origin.suite,
    )


def _check_version(origin: Origin, file: str) -> None:
    if origin.ingester_version.partition(".")[0] != INGESTER.partition(".")[0]:
        msg = f"{file} was written for ingester {origin.ingester_version}, this one is {INGESTER}"
        raise Refused(msg, code="ingester_unknown", hint="use the version of agentics that wrote it")


def _check_values(found: ResultsFile, ref: str, result: JobResult, file: str) -> None:
    """What others read of the file must be what we read of it."""
    told, values = found.results.get(ref), {name: metric.mean for name, metric in result.metrics.items()}
    unmeasured = tuple(name for name, value in values.items() if value is None)
    same = told is not None and all(told.get(name) == value for name, value in values.items())
    if not same or found.agentics.unmeasured.get(ref, ()) != unmeasured:
        msg = f"{file}: the values of {ref!r:.100} are not those that the run wrote"
        raise Refused(msg, code="results_altered", hint="export the results of the run again")


def _metric_rows(origin: Origin, result: JobResult) -> Iterator[IngestedMetric]:
    for name, metric in result.metrics.items():
        whole = IngestedMetric(
            run_id=origin.run_id,
            variant=origin.variant,
            task=result.task,
            fewshot=result.fewshot,
            seed=None,
            metric=name,
            value=metric.mean,
            stderr=metric.stderr,
            sd=metric.sd,
            n=metric.n,
            of=metric.of,
            higher_is_better=metric.higher_is_better,
            primary=result.primary is not None and result.primary.name == name,
            scoring_mode=result.scoring_mode,
            comparability=result.comparability,
            ingester_version=INGESTER,
        )
        yield whole
        for index, seed in enumerate(metric.seeds):
            counts = {"n": seed.n, "of": result.documents}
            update = {"seed": index, "value": seed.value, "stderr": seed.stderr, "sd": None, **counts}
            yield whole.model_copy(update=update)


def _hash_row(origin: Origin, result: JobResult) -> IngestedHash:
    return IngestedHash(
        run_id=origin.run_id,
        variant=origin.variant,
        task=result.task,
        fewshot=result.fewshot,
        hash_examples=result.hashes.get("hash_examples"),
        hash_full_prompts=result.hashes.get("hash_full_prompts"),
        hash_input_tokens=result.hashes.get("hash_input_tokens"),
        hash_cont_tokens=result.hashes.get("hash_cont_tokens"),
        reproducible=result.reproducible,
        ingester_version=INGESTER,
    )
