"""What a server and judges said where they failed: by code, each with how often, and with the first message. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from agentics.model.job.job_result import JobFailure
from agentics.model.job.worker_protocol import Answer, AnswerError, JudgeReply, OrderFailed


def of_order(failed: OrderFailed) -> JobFailure:
    return JobFailure(what="order", code=failed.code, message=failed.message, traceback=failed.traceback)


def of_answers(answers: Iterable[Answer], judgements: Iterable[JudgeReply]) -> tuple[JobFailure, ...]:
    """The answers' failures first, then those of each judge; the most frequent code of each first."""
    found: dict[str | None, dict[str, list[AnswerError]]] = {None: {}}
    said = [(None, answer.error) for answer in answers]
    for judge, error in [*said, *((each.judge, each.error) for each in judgements)]:
        if error is not None:
            found.setdefault(judge, {}).setdefault(error.code, []).append(error)
    return tuple(
        JobFailure(
            what="answers" if judge is None else "judge",
            judge=judge,
            code=code,
            count=len(errors),
            message=errors[0].message,
        )
        for judge, codes in found.items()
        for code, errors in sorted(codes.items(), key=lambda item: (-len(item[1]), item[0]))
    )
