"""A caller's adapter looks at every assigned example and names what it violates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from agentics.model.document.record import Record
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.stages.generic.examples import examples, function

name = "guardrails"


class GuardrailOptions(Record):
    """`adapter`: a function, or its `package.module:name`, from an example to the names of what it violates."""

    adapter: Callable[[Any], Any] | str
    fail_on_violation: bool = False


describe = described(name, "Counts what the examples violate, as an adapter of yours names it.", GuardrailOptions)


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    wanted = GuardrailOptions.model_validate(options)
    adapter = function(wanted.adapter)
    found = Counter(str(each) for example in examples(context) for each in adapter(example) or ())
    context = context.put_metric("guardrails", {"violations": found.total(), "by_name": dict(sorted(found.items()))})
    if found and wanted.fail_on_violation:
        return context.fail(name, "guardrail_violation", f"{found.total()} violations", fault="participant")
    return context
