"""One case of a run, found by its name, and told whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentics.errors import UsageError
from agentics.model.evidence.explanation import CaseExplanation, EvaluatorExplanation, Hint
from agentics.model.evidence.trial_evidence import TrialEvidence
from agentics.policy.verdict.case_files import ExplainedCase, every_case
from agentics.policy.verdict.explain import case_explanation, evaluator_explanation, session_explanation
from agentics.policy.verdict.hints import hints
from agentics.policy.verdict.symptoms import case_symptoms, session_symptoms
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.rundir.projections.explain import attempt_with
from agentics.rundir.reader import RunView, TrialView, derived_trials

_MOST_NAMES = 12


@dataclass(frozen=True, kw_only=True)
class CaseQuery:
    """Which case is asked for. `name`: of a run, its alias, the evaluator's name for it, or of a session. The rest
    narrows down the trials; `task` is a reference or a challenge's name."""

    name: str
    task: str | None = None
    variant: str | None = None
    trial_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class FoundCase:
    """A case in the newest attempt of a trial. `private`: it holds official data. `evaluator`: what the evaluator said
    of the whole, where it said nothing of a run of the solution. `is_session`: it is a session, and not a case."""

    trial: TrialView
    private: bool
    case: CaseExplanation
    evaluator: EvaluatorExplanation | None
    hints: tuple[Hint, ...]
    is_session: bool = False
    session: str | None = None
    """The name of the session to which a case without a run belongs."""


def find_case(view: RunView, query: CaseQuery, excerpt_bytes: int) -> FoundCase:
    """The case of this name, each of its texts with at most so many bytes.

    Raises UsageError: `case_not_found`, whose hint has the names that there are; `case_ambiguous`, whose hint has the
    trials that have such a case.
    """
    trials = [trial for trial in (*view.trials, *derived_trials(view.layout)) if _fits(trial, query)]
    having = [trial for trial in trials if query.name in _names(view, trial)]
    # A fork or a replay is meant only where nothing of the schedule is.
    having = [trial for trial in having if trial.root.parent == view.layout.trials] or having
    if len(having) > 1:
        known = ", ".join(f"{t.ids.trial_id} ({t.ids.variant_id} on {t.ids.task_id})" for t in having)
        msg = f"{len(having)} trials have a case {query.name!r}"
        raise UsageError(msg, code="case_ambiguous", hint=f"say --trial, --variant or --task: {known}")
    if not having:
        names = list(dict.fromkeys(name for trial in trials for name in _names(view, trial)))
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        hint = f"there is {', '.join(names[:_MOST_NAMES])}{more}" if names else "no trial of these has a case"
        msg = f"no case is called {query.name!r}"
        raise UsageError(msg, code="case_not_found", hint=hint)
    return _told(view, having[0], query.name, excerpt_bytes)


def _fits(trial: TrialView, query: CaseQuery) -> bool:
    ids = trial.ids
    return (
        query.trial_id in (None, ids.trial_id)
        and query.variant in (None, ids.variant_id)
        and query.task in (None, ids.task_id, ids.task_id.partition(".")[0])
    )


def _names(view: RunView, trial: TrialView) -> list[str]:
    """What the cases of a trial can be called: run names first, then the evaluator's, then aliases."""
    evidence = attempt_with(view.layout, trial.root, trial.result).evidence if trial.result is not None else None
    if evidence is None:
        return []
    cases = every_case(evidence).cases
    sessions = [evidence.session.session_name] if evidence.session is not None else []
    verdicts = [case.verdict.case_name for case in cases if case.verdict is not None]
    aliases = [case.record.alias for case in cases if case.record is not None]
    return list(dict.fromkeys([*sessions, *(case.name for case in cases), *verdicts, *aliases]))


def _told(view: RunView, trial: TrialView, name: str, excerpt_bytes: int) -> FoundCase:
    if trial.result is None:
        msg = f"{trial.ids.trial_id} has no result"
        raise AssertionError(msg)
    attempt, store = attempt_with(view.layout, trial.root, trial.result), ArtifactStore(view.layout.artifacts)
    evidence = attempt.evidence
    if evidence is None:
        msg = f"{trial.ids.trial_id} has no evidence"
        raise AssertionError(msg)
    private = evidence.mode == "official"
    if evidence.session is not None and evidence.session.session_name == name:
        return FoundCase(
            trial=trial,
            private=private,
            case=session_explanation(attempt.places.get(name), evidence.session, store, excerpt_bytes),
            evaluator=evaluator_explanation(evidence, store),
            hints=hints(session_symptoms(evidence, evidence.session, store)),
            is_session=True,
        )
    case = next(_called(evidence, name))
    own = attempt.places.get(case.name) if case.record is not None else None
    return FoundCase(
        trial=trial,
        private=private,
        case=case_explanation(own, case, store, excerpt_bytes),
        evaluator=evaluator_explanation(evidence, store) if case.record is None else None,
        hints=hints(case_symptoms(evidence, case, store)) if case.record is not None else (),
        session=evidence.session.session_name if evidence.session is not None else None,
    )


def _called(evidence: TrialEvidence, name: str) -> Iterator[ExplainedCase]:
    """The cases of this name, those of runs first."""
    cases = every_case(evidence).cases
    yield from (case for case in cases if case.record is not None and name in (case.name, case.record.alias))
    yield from (case for case in cases if case.verdict is not None and case.verdict.case_name == name)
