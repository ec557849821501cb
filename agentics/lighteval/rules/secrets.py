"""Rules about secrets: a JobSpec holds names of environment variables, never what is in them. No message quotes one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from agentics.lighteval.rules.review import Review
from agentics.model.document.json_text import Json, Path, Problem
from agentics.model.document.parsing import Rule
from agentics.model.job.jobspec import JobSpec
from agentics.policy.publish.redact import Redactor, is_findable, shows_secret
from agentics.policy.publish.secrets import is_secret

_SHORTEST = 6
_NAMES = frozenset({"api_key_env", "secret_refs"})


def rules(review: Review) -> tuple[Rule[JobSpec], ...]:
    return (
        Rule(needs=("backend",), check=partial(_backend, review)),
        Rule(needs=("scoring_config",), check=partial(_judges, review)),
        Rule(needs=("secret_refs",), check=partial(_refs, review)),
    )


def secret_names(spec: JobSpec) -> tuple[str, ...]:
    """The environment variables that the job's worker may read, each once."""
    judges = spec.scoring_config.judges if spec.scoring_config else ()
    names = (spec.backend.api_key_env, *(judge.api_key_env for judge in judges), *spec.secret_refs)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def leaks(value: Json, environment: Mapping[str, str]) -> Iterator[Problem]:
    """Secrets in the text of a JobSpec, sound or not: by the name before them, by their form, and by their value."""
    named = {environment[name] for name in _named(value) if len(environment.get(name, "")) >= _SHORTEST}
    yield from _leaks(value, (), Redactor(frozenset(named)))


def _leaks(value: Json, path: Path, known: Redactor) -> Iterator[Problem]:
    match value:
        case dict():
            for key, item in value.items():
                if isinstance(item, str) and item and is_secret(key, item):
                    hint = "write the name of an environment variable: api_key_env, or secret_refs"
                    message = f"{key!r:.100} looks like a secret, and a JobSpec is kept and shown"
                    yield Problem(code="secret_in_spec", message=message, path=(*path, key), hint=hint)
                else:
                    yield from _leaks(item, (*path, key), known)
        case list():
            for index, item in enumerate(value):
                yield from _leaks(item, (*path, index), known)
        case str() if known.known(value) != value or shows_secret(value):
            hint = "take it out, change it where it was issued, and name an environment variable instead"
            yield Problem(code="secret_in_spec", message="a secret is in this text", path=path, hint=hint)
        case _:
            return


def _named(value: Json, key: str = "") -> Iterator[str]:
    """The names of variables that the raw document mentions, wherever it is sound."""
    match value:
        case dict():
            for name, item in value.items():
                yield from _named(item, name)
        case list():
            for item in value:
                yield from _named(item, key)
        case str() if key in _NAMES:
            yield value
        case _:
            return


def _missing(review: Review, name: str | None, path: Path) -> Iterator[Problem]:
    value = review.around.environment.get(name) if name is not None else None
    if value and not is_findable(value.strip()):
        message = (
            f"what is in {name} is too short or too common a word to be found where a server or a model repeats it"
        )
        hint = "where it is a secret, use one of six characters or more; otherwise nothing is to be done"
        yield Problem(code="secret_not_hidden", message=message, path=path, hint=hint, severity="warning")
    if name is None or value:
        return
    severity = "error" if review.around.starting else "warning"
    message = f"the environment variable {name} is not set"
    hint = "set it where agentics runs; it is handed to the worker, and written nowhere"
    yield Problem(code="secret_missing", message=message, path=path, hint=hint, severity=severity)


def _backend(review: Review, spec: JobSpec) -> Iterator[Problem]:
    return _missing(review, spec.backend.api_key_env, ("backend", "api_key_env"))


def _judges(review: Review, spec: JobSpec) -> Iterator[Problem]:
    for index, judge in enumerate(spec.scoring_config.judges if spec.scoring_config else ()):
        yield from _missing(review, judge.api_key_env, ("scoring_config", "judges", index, "api_key_env"))


def _refs(review: Review, spec: JobSpec) -> Iterator[Problem]:
    for index, name in enumerate(spec.secret_refs):
        yield from _missing(review, name, ("secret_refs", index))
