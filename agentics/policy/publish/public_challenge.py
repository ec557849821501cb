"""From private nouns to public ones: the only place that shows. Every public key is copied by name."""

from __future__ import annotations

from typing import assert_never

from agentics.model.bundle.challenge import Challenge, Coexecuted, Datasets, Execution, Piped, Separated
from agentics.model.bundle.public_challenge import (
    PublicChallenge,
    PublicCoexecuted,
    PublicDatasets,
    PublicExecution,
    PublicPiped,
    PublicSeparated,
)


def public_challenge(challenge: Challenge) -> PublicChallenge:
    """The public view: nothing official, and no word of where private data is."""
    return PublicChallenge(
        schema_version=challenge.schema_version,
        challenge_name=challenge.challenge_name,
        challenge_title=challenge.challenge_title,
        summary=challenge.summary,
        keywords=challenge.keywords,
        solution=challenge.solution,
        targets=challenge.targets,
        starts_at=challenge.starts_at,
        closes_at=challenge.closes_at,
        eligibility=challenge.eligibility,
        validation_submission_limit=challenge.validation_submission_limit,
        official_submission_limit=challenge.official_submission_limit,
        visibility=challenge.visibility,
        solution_publication=challenge.solution_publication,
        execution=_execution(challenge.execution),
        datasets=_datasets(challenge.datasets),
        metric_schema=challenge.metric_schema,
    )


def _execution(execution: Execution) -> PublicExecution:
    match execution:
        case Separated():
            return PublicSeparated(
                mode=execution.mode,
                separated_evaluator=execution.separated_evaluator,
                validation_runs=execution.validation_runs,
                validation_setup=execution.validation_setup,
            )
        case Piped():
            return PublicPiped(
                mode=execution.mode,
                interactive_evaluator=execution.interactive_evaluator,
                acknowledge_stdio_protocol_framing=execution.acknowledge_stdio_protocol_framing,
                validation_session=execution.validation_session,
                validation_setup=execution.validation_setup,
            )
        case Coexecuted():
            return PublicCoexecuted(
                mode=execution.mode,
                coexecuted_evaluator=execution.coexecuted_evaluator,
                acknowledge_danger=execution.acknowledge_danger,
                validation_setup=execution.validation_setup,
            )
        case never:
            assert_never(never)


def _datasets(datasets: Datasets) -> PublicDatasets:
    return PublicDatasets(
        public_dir=datasets.public_dir,
        public_policy=datasets.public_policy,
        private_benchmark_policy=datasets.private_benchmark_policy,
        private_benchmark_enabled=datasets.private_benchmark_enabled,
    )
