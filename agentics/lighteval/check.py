"""The one way from a JobSpec's bytes to a job: all findings at once, or everything found that the job names.

Runs nothing and imports nothing of LightEval's; takes milliseconds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agentics.config import EVALUATOR_UID, Config
from agentics.lighteval.catalogue import Catalogue, shipped
from agentics.lighteval.job import CheckedJob, JobTask
from agentics.lighteval.places import data_folder, hub_folder, plugin_folders, suite_places
from agentics.lighteval.rules import backend, reach, scoring, secrets, tasks
from agentics.lighteval.rules.params import chosen
from agentics.lighteval.rules.review import CheckSurroundings, Review, data_of, online, uses_hub
from agentics.lighteval.suites import Reader, folder_files, read_suites
from agentics.model.document.finding import Finding
from agentics.model.document.json_text import Json, Problem, scan
from agentics.model.document.parsing import load, place
from agentics.model.job.jobspec import JobSpec

VERSION = "1"
_VARIANT = 64


@dataclass(frozen=True, kw_only=True)
class Checked:
    """`job` is None exactly when a finding is an error."""

    job: CheckedJob | None
    findings: tuple[Finding, ...]


def surroundings(
    folder: Path,
    config: Config,
    environment: Mapping[str, str] = os.environ,
    *,
    reader: Reader = folder_files,
    catalogue: Catalogue | None = None,
    templates: Iterable[str] | None = None,
) -> CheckSurroundings:
    """Those of a JobSpec in `folder` under the operator's configuration.

    Raises ConfigError where the catalogue is missing.
    """
    return CheckSurroundings(
        folder=folder,
        catalogue=catalogue or shipped(),
        plugins=plugin_folders(config),
        data=data_folder(config),
        hub=hub_folder(config) is not None,
        suites=cache(lambda: read_suites(suite_places(config), reader)),
        templates=None if templates is None else frozenset(templates),
        environment=environment,
        in_container=not config.lighteval.is_local,
        # As root, containers get users of their own; otherwise they run as we do.
        reader=EVALUATOR_UID if not config.lighteval.is_local and os.geteuid() == 0 else None,
    )


def check(data: bytes, file: str, around: CheckSurroundings) -> Checked:
    """Never raises on bad input. `file` is how findings name it. Raises what reading the operator's suites raises."""
    read = scan(data, JobSpec.cap)
    version = _version(read.value) if read.complete else None
    if version is not None:
        return Checked(job=None, findings=place(data, [version], file))
    review = Review(around=around)
    parts = (backend, tasks, scoring, secrets, reach)
    loaded = load(JobSpec, data, file, [rule for part in parts for rule in part.rules(review)])
    leaked = place(data, secrets.leaks(read.value, around.environment), file) if read.complete else ()
    elsewhere = review.search.findings if review.search else []
    own = sorted([*loaded.findings, *leaked], key=lambda finding: (finding.line, finding.column))
    findings = (*own, *elsewhere)
    if loaded.value is None or any(finding.severity == "error" for finding in findings):
        return Checked(job=None, findings=findings)
    return Checked(job=_job(review, loaded.value, file), findings=findings)


def _version(value: Json) -> Problem | None:
    """Of a document of another version nothing else can be said."""
    if not isinstance(value, dict) or value.get("jobspec_version", VERSION) == VERSION:
        return None
    said = value["jobspec_version"]
    number = isinstance(said, int | float) and not isinstance(said, bool) and said == int(VERSION)
    message = f"jobspec_version is {said!r:.50}, and this reads version {VERSION!r} only"
    hint = (
        f'write "{VERSION}", in quotes' if number else f'write "{VERSION}", or use an agentics that knows this version'
    )
    path = ("jobspec_version",)
    return Problem(code="unsupported_jobspec_version", message=message, path=path, hint=hint)


def _job(review: Review, spec: JobSpec, file: str) -> CheckedJob:
    model_path, hub = spec.backend.model_path, uses_hub(review, spec)
    return CheckedJob(
        spec=spec,
        file=file,
        folder=review.around.folder,
        variant=variant(spec),
        tasks=tuple(_tasks(review, spec)),
        plugins=tuple(review.plugins(spec).found),
        judges=scoring.judges_of(spec.scoring_config),
        suite=scoring.suite_of(review, spec),
        model_path=(review.around.folder / model_path).resolve() if model_path else None,
        secrets=secrets.secret_names(spec),
        network=online(spec) or hub,
        hub=hub,
    )


def variant(spec: JobSpec) -> str:
    """What the model is called in the run: the job's own name, or the last part of the model's."""
    last = spec.backend.model_name.rstrip("/").rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-_")
    return spec.run_name or plain[:_VARIANT] or "model"


def _tasks(review: Review, spec: JobSpec) -> Iterable[JobTask]:
    for index, entry, known in review.entries(spec):
        for task in known:
            metrics, sampling = chosen(entry.params, task)
            yield JobTask(
                index=index,
                known=task,
                fewshot=entry.fewshot,
                params=entry.params,
                sampling=sampling,
                metrics=metrics,
                data=data_of(review, entry, task),
            )
