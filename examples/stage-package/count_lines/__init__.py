"""A stage of your own: counts the lines of every case's standard output, before the evaluator looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentics.model.document.record import Record
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure

name = "count_lines"


class Options(Record):
    """`most`: more lines than this in one case stop the trial, as the participant's fault; null for no limit."""

    most: int | None = None
    stream: str = "stdout.txt"


describe = described(name, "Counts the lines that each case wrote.", Options)


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    wanted = Options.model_validate(options)
    root = context.tools.paths["solution_runs"]
    counts = {
        case.alias: (root / case.run_name / wanted.stream).read_bytes().count(b"\n") for case in context.evidence.cases
    }
    context = context.put_metric(name, {"lines": sum(counts.values()), "cases": len(counts)})
    longest = max(counts.values(), default=0)
    if wanted.most is not None and longest > wanted.most:
        return context.fail(name, "too_many_lines", f"{longest} lines, of at most {wanted.most}", fault="participant")
    return context
