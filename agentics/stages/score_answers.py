"""Makes a trial's result of what the worker told. Pure: nothing is asked, and nothing is computed twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentics.model.jobplan import JudgeAnswers, ScoreAnswers
from agentics.pipeline.description import described
from agentics.pipeline.jobbench import JobBench
from agentics.pipeline.stage import Context, StageFailure
from agentics.policy.jobs import Told, job_result
from agentics.stages import judge_answers

name = "score_answers"
describe = described(name, "Makes the result of a model's answers.", ScoreAnswers, needs=("trial",))


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    bench, score, facts = context.job_bench, ScoreAnswers.model_validate(options), context.evidence.job
    if facts is None:
        return context.fail(name, "result_missing", "no model was asked before this stage")
    told = Told(answers=tuple(bench.told("answers")), judgements=tuple(bench.told("judgements")))
    try:
        result = job_result(facts, told, score, judges_of(bench))
    except ValueError as error:
        return context.fail(name, "result_missing", str(error))
    return context.with_job(result=result)


def judges_of(bench: JobBench) -> JudgeAnswers | None:
    """What the plan says of judges, None where it has none."""
    options = next((stage.options for stage in bench.plan.stages if stage.name == judge_answers.name), None)
    return None if options is None else JudgeAnswers.model_validate(options)
