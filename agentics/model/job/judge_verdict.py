"""What judges made of each answer: a line of `verdicts.jsonl` of an attempt."""

from __future__ import annotations

from pydantic import FiniteFloat, NonNegativeInt

from agentics.model.document.record import Record
from agentics.model.job.worker_protocol import NoVerdict


class JudgeVerdict(Record):
    """What one judge made of one answer. `value`: 0 to 1, as it was read from `text`; null: `unread` says why the text
    is no verdict, or `error` why there is no text. `prompt_sha256`: of the messages that the judge was asked with;
    `judgements.jsonl` has them under the same `key`."""

    judge: str
    value: FiniteFloat | None
    unread: str | None
    text: str | None
    error: str | None
    prompt_sha256: str
    key: str


class AnswerVerdict(Record):
    """The judges' verdict on one answer, `key`. `value` null: `no_verdict` says why. `judges`: those that gave a text,
    or an error."""

    seed: NonNegativeInt
    doc_id: str
    key: str
    value: FiniteFloat | None
    no_verdict: NoVerdict | None
    judges: tuple[JudgeVerdict, ...]
