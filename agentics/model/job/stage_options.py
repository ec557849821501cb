"""The options of a job's stages: asking a model, asking judges, making a result of both, keeping the details."""

from __future__ import annotations

from pydantic import JsonValue, PositiveInt

from agentics.model.document.record import Record
from agentics.model.job.jobspec import JuryAggregation, ScoringMode
from agentics.model.job.judge_template import JudgeTemplate
from agentics.model.job.worker_protocol import EvaluateOrder, WorkerJudge


class AskModel(Record):
    """Options of asking a model about one task. `ask` is the order as the worker gets it, but for its number, the file
    of known answers, and the operator's limits."""

    ask: EvaluateOrder


class JudgeAnswers(Record):
    """Options of asking judges about the answers. `templates`: by judge, with the rules by which its words are read.
    `min_judges`: how many judges must give a verdict on an answer, so that the answer has one."""

    judges: tuple[WorkerJudge, ...]
    weights: dict[str, float]
    templates: dict[str, JudgeTemplate]
    aggregation: JuryAggregation
    report_disagreement: bool
    min_judges: PositiveInt


class ScoreAnswers(Record):
    """Options of making the result. `comparability`: what two results must share to be compared, beside their data.
    `allow_truncated_prompts`: a prompt that was cut does not make the task `degraded`."""

    task: str
    fewshot: int
    scoring_mode: ScoringMode
    endpoint: bool
    primary_metric: str | None
    model_revision: str | None
    allow_truncated_prompts: bool
    comparability: dict[str, JsonValue]


class KeepDetails(Record):
    """Options of keeping the details as Parquet: none."""
