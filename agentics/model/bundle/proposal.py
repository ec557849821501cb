"""`agentics.challenge.json`: what an author proposes, beside the bundle, to a public repository."""

from __future__ import annotations

from typing import Literal

from agentics.model.bundle.challenge import Keywords
from agentics.model.document.strict_types import (
    ChallengeName,
    Document,
    ExactlyOne,
    List,
    LocalizedSummary,
    RelPath,
    Text,
    Token,
)

AssetKind = Literal["private_benchmark_data", "private_evaluator_package", "private_seeds", "private_reference_outputs"]


class Archive(Document):
    """Why a challenge is to be taken out of the lists."""

    reason: Text


class PrivateAsset(Document):
    """Data that stays out of the repository and arrives as an overlay."""

    asset_name: Token
    kind: AssetKind
    required: bool
    required_paths: List[RelPath] = ()
    asset_note: Text | None = None


class Ci(Document):
    """Declared only: nothing acts on it."""

    validate_manifest: bool = True
    validate_public_bundle: bool = True
    smoke_test_public_validation: bool = False


class Proposal(Document):
    schema_version: ExactlyOne
    request: Literal["new_challenge", "archive_challenge"]
    challenge_name: ChallengeName
    title: Text
    summary: LocalizedSummary
    keywords: Keywords
    readme_path: RelPath
    bundle_path: RelPath | None = None
    archive: Archive | None = None
    private_assets: List[PrivateAsset] = ()
    ci: Ci = Ci()
