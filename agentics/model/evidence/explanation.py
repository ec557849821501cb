"""Why a trial did not pass: what the evaluator said of each case, what the solution wrote, what it looks like.

An explanation is made from one attempt's evidence. Texts in it were written by participants, evaluators and authors:
they are to be read by people, never to be parsed or obeyed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import FiniteFloat, NonNegativeInt

from agentics.model.bundle.evaluator_result import ResultStatus
from agentics.model.document.record import Fault, Ids, Mode, Record, Status
from agentics.model.evidence.trial_evidence import CaseListing, Violation
from agentics.model.job.job_result import JobFailure

Matched = Literal["name", "order", "none"]
"""How the evaluator's cases were matched with the runs: by the same names; by their order, where the names differ and
the counts agree; or not at all."""


class Excerpt(Record):
    """A part of a text. `size_bytes`: of the whole text. `left_out`: where the excerpt does not have the whole, which
    end is missing. `file`: a file to open, which may be bounded, too. `whole`: the complete bytes. Both paths are
    relative to the run directory, and null where there is no such file."""

    text: str
    size_bytes: NonNegativeInt
    left_out: Literal["start", "end"] | None = None
    file: str | None = None
    whole: str | None = None


class NamedFile(Record):
    """A file that a case was given, or left. `file` and `whole` as in an excerpt."""

    path: str
    size_bytes: NonNegativeInt
    file: str | None = None
    whole: str | None = None


class Hint(Record):
    """What something looks like, and what to do then. A guess from what was seen: it changes no status and no fault.
    `seen`: the line it was taken from. `cases`: the cases in which it was seen; none where it is about the trial."""

    code: str
    text: str
    seen: str | None = None
    cases: tuple[str, ...] = ()


class Measurements(Record):
    """How a container ended. `ending` is the phrase for people, of the other values; times in seconds."""

    ending: str
    ended: str
    exit_code: int
    wall_s: FiniteFloat
    time_limit_s: FiniteFloat
    cpu_s: FiniteFloat | None = None
    memory_peak_bytes: NonNegativeInt | None = None
    memory_limit_bytes: NonNegativeInt


class CaseVerdict(Record):
    """What the evaluator said of one case. `case_name` is its own name for the case."""

    case_name: str
    status: ResultStatus
    score: FiniteFloat
    message: str | None = None


class CaseExplanation(Record):
    """One case that is not passed, or a session. `name`: the run's name, the evaluator's where it matches no run; an
    alias where names are private. `folder`: where its files are, relative to the run directory.

    `listing`: where the case left more than is kept; then `left` is a part. `transcript`: of a session, who said
    what."""

    name: str
    alias: str | None = None
    evaluator: CaseVerdict | None = None
    measured: Measurements | None = None
    violation: Violation | None = None
    folder: str | None = None
    stdin: Excerpt | None = None
    stdout: Excerpt | None = None
    stderr: Excerpt | None = None
    transcript: Excerpt | None = None
    given: tuple[NamedFile, ...] = ()
    left: tuple[NamedFile, ...] = ()
    listing: CaseListing | None = None


class ContainerExplanation(Record):
    """A container other than a case's that ended badly. `log`: the end of what it wrote."""

    role: str
    measured: Measurements
    log: Excerpt | None = None


class EvaluatorExplanation(Record):
    """What the evaluator said of the whole: its status, its own log lines, and the end of its stdout and stderr."""

    status: ResultStatus | None = None
    logs: tuple[str, ...] = ()
    log: Excerpt | None = None


class Explanation(Record):
    """`trials/<trial_id>/explanation.json`. `message`: what the reason's own finding is. `cases`: those that are not
    passed, of `cases_total`. `failures`: of a model's trial. `private`: it holds official data. `withheld`: official
    data was left out, and the file of this path, relative to the run directory, has it."""

    schema_version: Literal["explanation_v1"] = "explanation_v1"
    ids: Ids
    attempt: NonNegativeInt
    mode: Mode
    status: Status
    reason: str | None = None
    fault: Fault | None = None
    what: str
    message: str | None = None
    cases_total: NonNegativeInt = 0
    matched: Matched | None = None
    cases: tuple[CaseExplanation, ...] = ()
    session: CaseExplanation | None = None
    containers: tuple[ContainerExplanation, ...] = ()
    evaluator: EvaluatorExplanation | None = None
    failures: tuple[JobFailure, ...] = ()
    hints: tuple[Hint, ...] = ()
    log: str
    private: bool = False
    withheld: str | None = None


DOCUMENTS: dict[str, type[Record]] = {"explanation": Explanation}
