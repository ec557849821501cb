"""Makes a trial's result of what the worker told. Pure: nothing is asked, and nothing is computed twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentics.model.job.stage_options import ScoreAnswers
from agentics.pipeline.contract.description import described
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.job_tools import job_tools
from agentics.policy.jobs.details import judges_of
from agentics.policy.jobs.failures import of_answers
from agentics.policy.jobs.job_result import job_result
from agentics.policy.jobs.judge_verdicts import answer_verdicts, read_judgements
from agentics.stages.worker_orders import with_job

name = "score_answers"
describe = described(name, "Makes the result of a model's answers.", ScoreAnswers, needs=("trial",))


def run(context: Context, options: Mapping[str, Any]) -> Context | StageFailure:
    tools, score, facts = job_tools(context), ScoreAnswers.model_validate(options), context.evidence.job
    if facts is None:
        return context.fail(name, "result_missing", "no model was asked before this stage")
    answers, judgements, judges = tuple(tools.told("answers")), tuple(tools.told("judgements")), judges_of(tools.plan)
    try:
        judged = read_judgements(judgements, answers, judges) if judges is not None else None
        result = job_result(facts, answers, score, judged)
    except ValueError as error:
        return context.fail(name, "result_missing", str(error))
    if judged is not None:
        tools.keep.append_all("verdicts", tuple(answer_verdicts(judged)))
    return with_job(context, result=result, failures=of_answers(answers, judgements))
