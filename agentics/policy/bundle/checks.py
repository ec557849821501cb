"""The rules of `spec.json` across fields: E1 to E6 of the contract, unique names, limits, times, ranking.

Pure: from a challenge to problems, each with its place and a hint. What needs files is checked by `agentics.bundle`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import assert_never

from agentics.model.bundle.challenge import Challenge, Coexecuted, Execution, Piped, Separated
from agentics.model.document.json_text import Path, Problem
from agentics.model.document.parsing import Loaded, Rule, load
from agentics.model.document.timestamp import instant
from agentics.policy.bundle.images import check_targets

EVALUATOR_DIRECTORY = {
    "separated_evaluator": "separated-evaluator",
    "piped_stdio": "interactive-evaluator",
    "coexecuted_benchmark": "coexecuted-evaluator",
}
_SEPARATOR = re.compile(r"[/\\]")


def read_challenge(data: bytes, file: str = "spec.json") -> Loaded[Challenge]:
    """`spec.json` with all its rules. Never raises on bad input."""
    return load(Challenge, data, file, RULES)


def repeated(names: Iterable[str], paths: Iterable[Path], what: str) -> Iterator[Problem]:
    """A problem for each name that was there before."""
    seen: set[str] = set()
    for name, path in zip(names, paths, strict=True):
        if name in seen:
            yield Problem(code="duplicate_name", message=f"{what} {name!r:.100} is there twice", path=path)
        seen.add(name)


def keywords_differ(keywords: tuple[str, ...]) -> Iterator[Problem]:
    """Keywords that differ only in case are the same."""
    paths: list[Path] = [("keywords", i) for i in range(len(keywords))]
    return repeated((k.lower() for k in keywords), paths, "keyword")


def script(command: Iterable[str]) -> str | None:
    """The bundle's own Python script in a command: the first `.py` argument that is a path below the bundle."""
    return next((a for a in command if a.endswith(".py") and _loose_path(a)), None)


def commands(execution: Execution) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Every command of the challenge with where it is: the evaluator's first, then the setups'.

    `execution` may be a sound part, as for `locator`.
    """
    for key in (_evaluator_key(execution), "validation_setup", "official_evaluation_setup"):
        command = getattr(getattr(execution, key, None), "command", None)
        if command is not None:
            yield ("execution", key, "command"), command


def locator(execution: Execution, side: str) -> tuple[str, str] | None:
    """The key and path of the static manifest of a side (`validation` or `official`); None where there is none."""
    match execution:
        case Separated():
            key = f"{side}_runs"
        case Piped():
            key = f"{side}_session"
        case Coexecuted():
            return None
        case never:
            assert_never(never)
    found = getattr(execution, key, None)
    return None if found is None else (key, found)


def has_official(challenge: Challenge) -> bool:
    """Official evaluation is possible whenever there is something to evaluate, whatever the datasets say."""
    execution = challenge.execution
    if isinstance(execution, Coexecuted):
        return True
    return execution.official_evaluation_setup is not None or locator(execution, "official") is not None


def _evaluator_key(execution: Execution) -> str:
    match execution:
        case Separated():
            return "separated_evaluator"
        case Piped():
            return "interactive_evaluator"
        case Coexecuted():
            return "coexecuted_evaluator"
        case never:
            assert_never(never)


def _loose_path(text: str) -> bool:
    return not text.startswith("/") and all(part not in {"", ".."} for part in re.split(_SEPARATOR, text))


def _keywords(challenge: Challenge) -> Iterator[Problem]:
    return keywords_differ(challenge.keywords)


def _target_names(challenge: Challenge) -> Iterator[Problem]:
    paths: list[Path] = [("targets", i, "name") for i in range(len(challenge.targets))]
    return repeated((t.name for t in challenge.targets), paths, "target")


def _targets(challenge: Challenge) -> Iterator[Problem]:
    return check_targets(challenge.targets)


def _times(challenge: Challenge) -> Iterator[Problem]:
    starts, closes = instant(challenge.starts_at), instant(challenge.closes_at or "")
    if starts is not None and closes is not None and closes <= starts:
        yield Problem(code="closes_before_start", message="closes_at must be later than starts_at", path=("closes_at",))


def _publication(challenge: Challenge) -> Iterator[Problem]:
    if challenge.solution_publication == "public_after_close" and challenge.closes_at is None:
        message = "public_after_close needs closes_at"
        yield Problem(code="never_closes", message=message, path=("solution_publication",), hint="set closes_at")


def _validation_limit(challenge: Challenge) -> Iterator[Problem]:
    if _validates(challenge) and challenge.validation_submission_limit is None:
        message = "a target has validation_enabled, so validation_submission_limit must not be null"
        yield Problem(code="validation_limit_missing", message=message, path=("validation_submission_limit",))


def _validates(challenge: Challenge) -> bool:
    return any(target.validation_enabled for target in challenge.targets)


def _run_stage(challenge: Challenge) -> Iterator[Problem]:
    mode = challenge.execution.mode
    alone = mode == "coexecuted_benchmark"
    for index, target in enumerate(challenge.targets):
        has = target.resource_profile.solution.run is not None
        path = ("targets", index, "resource_profile", "solution", "run")
        if alone and has:
            message = f"solution.run must be null for {mode}: the evaluator runs the solution"
            yield Problem(code="run_stage_unused", message=message, path=path, hint="null")
        if not alone and not has:
            yield Problem(code="run_stage_missing", message=f"solution.run must not be null for {mode}", path=path)


def _acknowledged(challenge: Challenge) -> Iterator[Problem]:
    """E1."""
    for key in ("acknowledge_stdio_protocol_framing", "acknowledge_danger"):
        if getattr(challenge.execution, key, True) is not True:
            yield Problem(code="not_acknowledged", message=f"{key} must be true", path=("execution", key))


def _one_source(challenge: Challenge) -> Iterator[Problem]:
    """E2."""
    for side, setup in (("validation", "validation_setup"), ("official", "official_evaluation_setup")):
        static = locator(challenge.execution, side)
        if static is not None and getattr(challenge.execution, setup) is not None:
            message = f"{static[0]} and {setup} exclude each other"
            yield Problem(code="locator_and_setup", message=message, path=("execution", setup), hint="set one to null")


def _script_places(challenge: Challenge) -> Iterator[Problem]:
    """E3."""
    directory = EVALUATOR_DIRECTORY[challenge.execution.mode]
    for path, command in commands(challenge.execution):
        found = script(command)
        if found is not None and not found.startswith(f"{directory}/"):
            message = f"the script {found!r} must be below {directory}/"
            hint = f"move it to {directory}/{re.split(_SEPARATOR, found)[-1]}"
            yield Problem(code="script_misplaced", message=message, path=(*path, command.index(found)), hint=hint)


def _validation_source(challenge: Challenge) -> Iterator[Problem]:
    """E4."""
    execution = challenge.execution
    if isinstance(execution, Coexecuted) or not _validates(challenge):
        return
    if execution.validation_setup is None and locator(execution, "validation") is None:
        key = "validation_runs" if isinstance(execution, Separated) else "validation_session"
        message = f"a target has validation_enabled, so {key} or validation_setup must not be null"
        yield Problem(code="validation_source_missing", message=message, path=("execution", key))


def _official_source(challenge: Challenge) -> Iterator[Problem]:
    """E5."""
    if challenge.datasets.private_benchmark_enabled and not has_official(challenge):
        key = "official_runs" if isinstance(challenge.execution, Separated) else "official_session"
        message = f"private_benchmark_enabled needs {key} or official_evaluation_setup"
        yield Problem(code="official_source_missing", message=message, path=("execution", key))


def _private_directory(challenge: Challenge) -> Iterator[Problem]:
    """E6."""
    datasets = challenge.datasets
    static = locator(challenge.execution, "official")
    if datasets.private_benchmark_enabled and static is not None and datasets.private_benchmark_dir is None:
        message = f"private_benchmark_enabled with a static {static[0]} needs private_benchmark_dir"
        yield Problem(code="private_dir_missing", message=message, path=("datasets", "private_benchmark_dir"))


def _metric_names(challenge: Challenge) -> Iterator[Problem]:
    metrics = challenge.metric_schema.metrics
    paths: list[Path] = [("metric_schema", "metrics", i, "name") for i in range(len(metrics))]
    return repeated((m.name for m in metrics), paths, "metric")


def _ranking(challenge: Challenge) -> Iterator[Problem]:
    ranking = challenge.metric_schema.ranking
    names = {metric.name for metric in challenge.metric_schema.metrics}
    base: Path = ("metric_schema", "ranking")
    hint = f"declared: {', '.join(sorted(names))}"
    ties = ranking.tie_breaker_metric_names or ()
    used: list[tuple[str, Path]] = [(ranking.primary_metric_name, (*base, "primary_metric_name"))]
    used += [(name, (*base, "tie_breaker_metric_names", index)) for index, name in enumerate(ties)]
    for name, path in used:
        if name not in names:
            yield Problem(code="undeclared_metric", message=f"metric {name!r} is not declared", path=path, hint=hint)
    yield from repeated((name for name, _ in used), (path for _, path in used), "ranking metric")


RULES: tuple[Rule[Challenge], ...] = (
    Rule(needs=("keywords",), check=_keywords),
    Rule(needs=("targets",), check=_target_names),
    Rule(needs=("targets",), check=_targets),
    Rule(needs=("starts_at", "closes_at"), check=_times),
    Rule(needs=("solution_publication", "closes_at"), check=_publication),
    Rule(needs=("targets", "validation_submission_limit"), check=_validation_limit),
    Rule(needs=("targets", "execution"), check=_run_stage),
    Rule(needs=("execution",), check=_acknowledged),
    Rule(needs=("execution",), check=_one_source),
    Rule(needs=("execution",), check=_script_places),
    Rule(needs=("targets", "execution"), check=_validation_source),
    Rule(needs=("execution", "datasets"), check=_official_source),
    Rule(needs=("execution", "datasets"), check=_private_directory),
    Rule(needs=("metric_schema",), check=_metric_names),
    Rule(needs=("metric_schema",), check=_ranking),
)
