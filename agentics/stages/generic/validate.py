"""Whether every stage of the experiment is there and takes the options that it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentics.model.document.record import Record
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.options import option_problems, with_defaults
from agentics.pipeline.contract.registry import StageUnavailable, resolve
from agentics.pipeline.contract.stage import Context, StageFailure

name = "validate"


class ValidateOptions(Record):
    """`strict`: what would be a warning stops the run."""

    strict: bool = False


describe = described(name, "Checks that every stage of the experiment is there and takes its options.", ValidateOptions)


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    wanted = ValidateOptions.model_validate(options)
    warnings = list(_warnings(context))
    status = "warnings" if warnings else "passed"
    context = context.put_metric("validation", {"status": status, "warnings": warnings})
    if warnings and wanted.strict:
        return context.fail(name, "validation_failed", "; ".join(warnings), fault="user")
    return context


def _warnings(context: Context) -> list[str]:
    found: list[str] = []
    for definition in context.experiment.pipeline:
        if not definition.enabled:
            continue
        try:
            said = resolve(definition.name, definition.module, context.registry).description
        except StageUnavailable as error:
            found.append(f"{definition.name}: {error.message}")
            continue
        wrong = option_problems(said, with_defaults(said, definition.options))
        found += [f"{definition.name}: {problem}" for problem in wrong]
    return found
