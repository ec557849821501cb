"""Writes the public place of a run: whatever serves or uploads a run reads only there."""

from __future__ import annotations

from collections.abc import Iterable

from agentics.model.outcome import RunOutcome
from agentics.policy.publish import public_challenge
from agentics.policy.publish_run import public_run
from agentics.rundir.atomic import make_directory, write_document
from agentics.rundir.held import Run
from agentics.runner.campaign import Campaign


def write_public(run: Run, campaign: Campaign, outcomes: Iterable[RunOutcome]) -> None:
    """public/run.json, and public/challenges/<name>.json for each challenge."""
    write_document(run.layout.public / "run.json", public_run(run.run_id, outcomes))
    folder = run.layout.public / "challenges"
    make_directory(folder)
    for challenge in {
        trial.task.bundle.challenge.challenge_name: trial.task.bundle.challenge for trial in campaign.trials
    }.values():
        write_document(folder / f"{challenge.challenge_name}.json", public_challenge(challenge))
