"""Rules about how answers are scored: by the tasks' own metrics, by one judge, or by a jury; and for which suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import partial

from agentics.errors import UsageError
from agentics.lighteval.job import JobJudge
from agentics.lighteval.rules.params import chosen
from agentics.lighteval.rules.review import Review, either
from agentics.model.document.json_text import Path, Problem
from agentics.model.document.parsing import Rule
from agentics.model.job.jobspec import JobSpec, ScoringConfig
from agentics.model.job.suite import Suite, SuiteTask

_JURY = 2


def rules(review: Review) -> tuple[Rule[JobSpec], ...]:
    return (
        Rule(needs=("scoring_mode", "scoring_config"), check=_configured),
        Rule(needs=("scoring_mode", "scoring_config"), check=_jury),
        Rule(needs=("scoring_mode", "scoring_config"), check=partial(_templates, review)),
        Rule(needs=("scoring_mode", "tasks", "custom_plugins"), check=partial(_metrics, review)),
        Rule(needs=("benchmark_pack_id",), check=partial(_pack, review)),
        Rule(needs=("benchmark_pack_id", "tasks", "custom_plugins"), check=partial(_in_pack, review)),
    )


def judges_of(config: ScoringConfig | None) -> tuple[JobJudge, ...]:
    """Each with a name of its own: the second of a name is `name#2`, and so on."""
    if config is None:
        return ()
    named: list[JobJudge] = []
    taken: set[str] = set()
    for judge in config.judges:
        name, number = judge.judge_model_name, 1
        while name in taken:
            number += 1
            name = f"{judge.judge_model_name}#{number}"
        taken.add(name)
        template = judge.judge_template_id or config.judge_template_id or ""
        named.append(JobJudge(name=name, template_id=template, spec=judge))
    return tuple(named)


def suite_of(review: Review, spec: JobSpec) -> Suite | None:
    """The suite that the job belongs to; None also where its name does not say which one."""
    try:
        found = review.around.suites().find(spec.benchmark_pack_id) if spec.benchmark_pack_id else None
    except UsageError:
        return None
    return found.suite if found is not None else None


def _conflict(message: str, path: Path, hint: str | None = None) -> Problem:
    return Problem(code="scoring_conflict", message=message, path=path, hint=hint)


def _configured(spec: JobSpec) -> Iterator[Problem]:
    mode, config = spec.scoring_mode, spec.scoring_config
    if mode == "deterministic" and config is not None:
        message = "scoring_config is for judges, and deterministic scoring has none"
        yield _conflict(message, ("scoring_config",), 'leave it out, or set scoring_mode to "judge" or "jury"')
    if mode != "deterministic" and config is None:
        yield _conflict(f"scoring_mode {mode!r} needs scoring_config", ("scoring_mode",), "say who judges, and how")


def _jury(spec: JobSpec) -> Iterator[Problem]:
    mode, config = spec.scoring_mode, spec.scoring_config
    if config is None or mode == "deterministic":
        return
    count = len(config.judges)
    path: Path = ("scoring_config", "judges")
    yield from _quorum(config)
    if mode == "judge":
        if count != 1:
            yield _conflict(f"scoring_mode 'judge' is one judge, here are {count}", path, 'set scoring_mode to "jury"')
        yield from _alone(config)
        return
    if count < _JURY:
        yield _conflict("a jury has two judges or more", path, 'add one, or set scoring_mode to "judge"')
    equal = len({judge.weight for judge in config.judges}) == 1
    if config.aggregation == "majority" and count >= _JURY and count % 2 == 0 and equal:
        message = f"{count} judges of equal weight have no majority when they are split"
        path = ("scoring_config", "aggregation")
        yield _conflict(message, path, "an odd number of judges, other weights, or aggregation mean or median")


def _quorum(config: ScoringConfig) -> Iterator[Problem]:
    if config.min_judges is not None and config.min_judges > len(config.judges):
        message = f"min_judges is {config.min_judges}, and the job has {len(config.judges)} judges"
        yield _conflict(message, ("scoring_config", "min_judges"), f"at most {len(config.judges)}, or leave it out")


def _alone(config: ScoringConfig) -> Iterator[Problem]:
    """What only a jury has."""
    for name in ("aggregation", "report_disagreement", "min_judges"):
        if name in config.model_fields_set:
            message = f"{name} says nothing where there is one judge"
            path = ("scoring_config", name)
            yield Problem(code="field_unsupported", message=message, path=path, severity="warning")


def _templates(review: Review, spec: JobSpec) -> Iterator[Problem]:
    config, known = spec.scoring_config, review.around.templates
    if config is None or spec.scoring_mode == "deterministic":
        return
    named: list[tuple[str | None, Path]] = [(config.judge_template_id, ("scoring_config", "judge_template_id"))]
    for index, judge in enumerate(config.judges):
        path: Path = ("scoring_config", "judges", index, "judge_template_id")
        named.append((judge.judge_template_id, path))
        if judge.judge_template_id is None and config.judge_template_id is None:
            message = f"which template does {judge.judge_model_name!r:.100} judge by?"
            there = f"; there is {', '.join(sorted(known))}" if known else ""
            hint = f"set judge_template_id here, or for all in scoring_config{there}"
            yield Problem(code="template_missing", message=message, path=path[:-1], hint=hint)
    for name, path in named:
        if name is not None and known is not None and name not in known:
            near = either(get_close_matches(name, sorted(known), n=1))
            hint = near or (f"there is {', '.join(sorted(known))}" if known else "there is none")
            yield Problem(code="unknown_template", message=f"no judge template {name!r:.100}", path=path, hint=hint)


def _metrics(review: Review, spec: JobSpec) -> Iterator[Problem]:
    """Judges score texts, and only where the job says that judges do."""
    for index, entry, tasks in review.entries(spec):
        path: Path = ("tasks", index, "id")
        for task in tasks:
            metrics, sampling = chosen(entry.params, task)
            asks = sorted(task.judges.intersection(metrics))
            if spec.scoring_mode == "deterministic" and asks:
                message = f"{task.name} is scored by {', '.join(asks)}, which asks another model"
                hint = "choose other metrics (params.metrics), or say who judges: scoring_mode and scoring_config"
                yield _conflict(message, path, hint)
                break
            if spec.scoring_mode != "deterministic" and "generative" not in sampling:
                message = f"{task.name} has no answers that could be judged: it compares given choices"
                yield _conflict(message, path, "choose a generative task, or deterministic scoring")
                break


def _pack(review: Review, spec: JobSpec) -> Iterator[Problem]:
    wanted = spec.benchmark_pack_id
    try:
        if wanted is None or review.around.suites().find(wanted) is not None:
            return
    except UsageError as error:
        yield Problem(code=error.code, message=error.message, path=("benchmark_pack_id",), hint=error.hint)
        return
    suites = review.around.suites()
    name = wanted.partition("@")[0]
    versions = [each.suite.version for each in suites.versions(name)]
    names = sorted({each.suite.name for each in suites.listed})
    hint = either(get_close_matches(name, names, n=1)) or "`agentics suite list` shows what is there"
    if suites.findings:
        hint = f"{suites.findings[0].file} is not in order: {suites.findings[0].message}"
    if versions:
        hint = f"there is {', '.join(f'{name}@{version}' for version in versions)}"
    message = f"there is no suite {wanted!r:.100}"
    yield Problem(code="pack_not_found", message=message, path=("benchmark_pack_id",), hint=hint)


def _in_pack(review: Review, spec: JobSpec) -> Iterator[Problem]:
    suite = suite_of(review, spec)
    if suite is None:
        return
    asked: set[str] = set()
    for index, entry, tasks in review.entries(spec):
        for task in tasks:
            ref = f"{task.name}|{entry.fewshot}"
            asked.add(ref)
            message, hint = _difference(suite, task.name, SuiteTask(id=task.name, **entry.model_dump(exclude={"id"})))
            if message:
                path: Path = ("tasks", index, "id")
                yield Problem(code="task_not_in_pack", message=message, path=path, hint=hint)
                break
    missing = [task.ref for task in suite.tasks if task.ref not in asked]
    if missing and review.complete(spec):
        message = f"{len(missing)} of {len(suite.tasks)} tasks of {suite.id} are not asked for: {_few(missing)}"
        hint = "without them there is no score" if suite.missing_tasks == "strict" else "the score is of the others"
        yield Problem(code="pack_incomplete", message=message, path=("tasks",), hint=hint, severity="warning")


def _difference(suite: Suite, name: str, asked: SuiteTask) -> tuple[str, str | None]:
    """What a task differs in from the suite's, and the mend; "" if in nothing."""
    same = [task for task in suite.tasks if task.id == name]
    if not same:
        return f"{name} is no task of {suite.id}", "take it out, or leave out benchmark_pack_id"
    exact = next((task for task in same if task.ref == asked.ref), None)
    if exact is None:
        counts = " or ".join(str(task.fewshot) for task in same)
        return f"{suite.id} asks {name} with other examples", f"set fewshot to {counts}"
    if exact.params != asked.params:
        return f"{suite.id} asks {asked.ref} with other params", f"set params to {exact.params}"
    return "", None


def _few(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
