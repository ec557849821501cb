"""Whether the assigned examples have the fields that they need, and pass a check of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agentics.model.document.record import Record
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.stages.generic.examples import examples, function

name = "data_checks"


class DataCheckOptions(Record):
    """`checker` says of an example whether it is good: a function, or its `package.module:name`. `fail_fast`: stop the
    run at the first bad example."""

    required_fields: tuple[str, ...] = ()
    fail_fast: bool = False
    checker: Callable[[Any], Any] | str | None = None


describe = described(name, "Counts the examples that lack a field or do not pass a check.", DataCheckOptions)


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    wanted = DataCheckOptions.model_validate(options)
    check = function(wanted.checker) if wanted.checker is not None else None
    total = missing = rejected = 0
    for index, example in enumerate(examples(context)):
        total += 1
        lacks = not isinstance(example, Mapping) or any(example.get(key) is None for key in wanted.required_fields)
        bad = not lacks and check is not None and not check(example)
        missing, rejected = missing + lacks, rejected + bad
        if (lacks or bad) and wanted.fail_fast:
            why = "lacks a required field" if lacks else "does not pass the check"
            return _counted(context, total, missing, rejected).fail(
                name, "bad_example", f"example {index} {why}", fault="user"
            )
    return _counted(context, total, missing, rejected)


def _counted(context: Context, total: int, missing: int, rejected: int) -> Context:
    valid = total - missing - rejected
    counts = {"total": total, "valid": valid, "missing_fields": missing, "rejected": rejected}
    return context.put_metric("data_checks", counts)
