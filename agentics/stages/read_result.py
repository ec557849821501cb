"""Reads what the evaluator wrote, once its container has ended well: a regular file of bounded size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentics.errors import InvalidDocument
from agentics.model.bundle.challenge import MetricSchema
from agentics.model.bundle.evaluator_result import read_result
from agentics.model.evidence.trial_evidence import ResultReading, TrialEvidence
from agentics.model.plan.trial_plan import ReadResult
from agentics.pipeline.attempt_tools import attempt_tools
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context
from agentics.sandbox.regular import read_regular

name = "read_result"
describe = described(name, "Reads the result that the evaluator wrote.", ReadResult, needs=("trial",))
_PROBLEMS = {
    "missing": "result_missing",
    "not a regular file": "result_not_regular",
    "too large": "result_too_large",
}


def run(context: Context, options: Mapping[str, Any]) -> Context:
    wanted = ReadResult.model_validate(options)
    if not _evaluator_ended_well(context.evidence):
        return context
    data = read_regular(attempt_tools(context).paths["output"], wanted.file, wanted.max_bytes)
    if isinstance(data, str):
        return context.with_evidence(reading=ResultReading(problem=_PROBLEMS[data], detail=f"{wanted.file}: {data}"))
    ref = attempt_tools(context).keep.put_bytes(data)
    schema: MetricSchema = attempt_tools(context).metric_schema
    try:
        result = read_result(data, schema, context.evidence.mode, wanted.file)
    except InvalidDocument as error:
        return context.with_evidence(reading=ResultReading(problem="result_invalid", detail=str(error), ref=ref))
    return context.with_evidence(reading=ResultReading(result=result, ref=ref))


def _evaluator_ended_well(evidence: TrialEvidence) -> bool:
    if evidence.session is not None:
        return evidence.session.evaluator.clean
    return evidence.containers[-1].clean
