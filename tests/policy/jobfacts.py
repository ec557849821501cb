"""Facts of a job's trial, as a worker tells them: small, and to be varied by tests."""

from __future__ import annotations

from agentics.model.evidence.trial_evidence import JobFacts
from agentics.model.job.stage_options import JudgeAnswers, ScoreAnswers
from agentics.model.job.worker_protocol import (
    Answer,
    AnswerError,
    Environment,
    EvaluationReport,
    JudgeReply,
    MetricValue,
    SeedReport,
    TaskReady,
)
from agentics.policy.jobs.job_result import FOUR_HASHES, job_result
from agentics.policy.jobs.judge_verdicts import read_judgements

ALL_HASHES = {name: f"{index}" * 16 for index, name in enumerate(FOUR_HASHES)}


def answer(doc, status="answered", *, seed=0, code="timeout", sampling="generative", **more):
    failed = status == "failed"
    return Answer(
        order=1,
        key=f"k{doc}",
        seed=seed,
        doc_id=str(doc),
        sampling=sampling,
        status=status,
        response=None if failed else {"text": ["x" if status == "answered" else ""]},
        error=AnswerError(code=code, message="no") if failed else None,
        **more,
    )


def seed_report(number=0, hashes=None, **metrics):
    values = {
        name: value if isinstance(value, MetricValue) else MetricValue(value=value, stderr=0.1, n=4)
        for name, value in metrics.items()
    }
    return SeedReport(seed=number, metrics=values, hashes=hashes or {})


def job_facts(answers, seeds=None, metrics=None, warnings=()):
    told = [each.status for each in answers]
    counts = {status: told.count(status) for status in ("answered", "empty", "failed")}
    return JobFacts(
        environment=Environment(order=1, versions={"lighteval": "0.13.0", "torch": None}),
        ready=TaskReady(
            order=1,
            documents=4,
            requests=len(answers),
            sampling=("generative",),
            config={"name": "sums", "version": 1},
            config_sha256="sha256:c",
            prompt_sha256="sha256:p",
            data_sha256="sha256:d",
            metrics=metrics or {"em": {"higher_is_better": True, "aggregation": "mean"}},
            generation={"max_new_tokens": 8},
            warnings=warnings,
        ),
        report=EvaluationReport(
            order=1,
            seeds=(seed_report(em=0.5),) if seeds is None else tuple(seeds),
            asked=len(answers),
            known=sum(each.known for each in answers),
            warnings=warnings,
            **counts,
        ),
    )


def scoring(**more):
    said = {
        "task": "sums",
        "fewshot": 0,
        "scoring_mode": "deterministic",
        "endpoint": False,
        "primary_metric": None,
        "model_revision": "sha256:m",
        "allow_truncated_prompts": False,
        "comparability": {"suite": None, "generation": {"temperature": 0.0}, "plugins": []},
    }
    return ScoreAnswers.model_validate({**said, **more})


def jury(*names, aggregation="majority", weights=None, report_disagreement=True, min_judges=None):
    parse = {"kind": "regex", "pattern": "VERDICT: (YES|NO)", "labels": {"YES": 1.0, "NO": 0.0}}
    message = {"role": "user", "content": "{answer}"}
    template = {"id": "yes-no", "version": "1", "messages": [message], "parse": parse}
    return JudgeAnswers.model_validate(
        {
            "judges": [{"name": name, "model": f"m-{name}", "max_tokens": 8, "messages": [message]} for name in names],
            "weights": dict.fromkeys(names, 1.0) | (weights or {}),
            "templates": dict.fromkeys(names, template),
            "aggregation": aggregation,
            "report_disagreement": report_disagreement,
            "min_judges": len(names) if min_judges is None else min_judges,
        }
    )


def judgement(judge, doc, text, *, seed=0, code="timeout"):
    """What a judge said of a document's answer; text None: it failed."""
    return JudgeReply(
        order=2,
        key=f"{judge}/{seed}/{doc}",
        item=f"k{doc}",
        seed=seed,
        doc_id=str(doc),
        judge=judge,
        messages=(),
        text=text,
        error=AnswerError(code=code, message="no") if text is None else None,
    )


def judgements(**words):
    """By judge, a word for each document: Y, N, ? (unreadable), ! (failed), - (nothing)."""
    said = {"Y": "VERDICT: YES", "N": "VERDICT: NO", "?": "hm", "!": None}
    return [
        judgement(judge, doc, said[word]) for judge, row in words.items() for doc, word in enumerate(row) if word != "-"
    ]


def result(answers, *, facts=None, said=(), judges=None, **score):
    if judges is not None:
        score = {"scoring_mode": "jury" if len(judges.judges) > 1 else "judge", **score}
    judged = read_judgements(said, answers, judges) if judges is not None else None
    return job_result(facts or job_facts(answers), answers, scoring(**score), judged)
