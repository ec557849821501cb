"""Rules of `agentics.challenge.json`, alone and against the `spec.json` it proposes."""

from __future__ import annotations

from collections.abc import Iterator

from agentics.model.bundle.challenge import Challenge
from agentics.model.bundle.proposal import Proposal
from agentics.model.document.json_text import Path, Problem
from agentics.model.document.parsing import Loaded, Rule, load
from agentics.policy.bundle.checks import keywords_differ, repeated


def read_proposal(data: bytes, file: str = "agentics.challenge.json") -> Loaded[Proposal]:
    """The proposal manifest with its own rules. Never raises on bad input."""
    return load(Proposal, data, file, RULES)


def differences(proposal: Proposal, challenge: Challenge) -> Iterator[Problem]:
    """What the proposal says otherwise than the bundle. Places are in the proposal. Either may be a sound part."""
    for key, there in (("challenge_name",) * 2, ("title", "challenge_title"), ("summary",) * 2, ("keywords",) * 2):
        if hasattr(proposal, key) and hasattr(challenge, there) and getattr(proposal, key) != getattr(challenge, there):
            message = f"{key} differs from {there} of spec.json"
            yield Problem(code="differs_from_spec", message=message, path=(key,), hint="write the same in both")


def _keywords(proposal: Proposal) -> Iterator[Problem]:
    return keywords_differ(proposal.keywords)


def _request(proposal: Proposal) -> Iterator[Problem]:
    new = proposal.request == "new_challenge"
    for key, wanted in (("bundle_path", new), ("archive", not new)):
        if (getattr(proposal, key) is not None) is not wanted:
            message = f"{proposal.request} {'needs' if wanted else 'must not have'} {key}"
            yield Problem(code="request_mismatch", message=message, path=(key,))


def _assets(proposal: Proposal) -> Iterator[Problem]:
    assets = proposal.private_assets
    names: list[Path] = [("private_assets", index, "asset_name") for index in range(len(assets))]
    yield from repeated((asset.asset_name for asset in assets), names, "asset")
    for index, asset in enumerate(assets):
        paths: list[Path] = [("private_assets", index, "required_paths", i) for i in range(len(asset.required_paths))]
        yield from repeated(asset.required_paths, paths, "required path")


RULES: tuple[Rule[Proposal], ...] = (
    Rule(needs=("keywords",), check=_keywords),
    Rule(needs=("request", "bundle_path", "archive"), check=_request),
    Rule(needs=("private_assets",), check=_assets),
)
