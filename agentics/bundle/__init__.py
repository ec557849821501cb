"""Reads, checks, digests and assembles bundles. Everything that an author's files can get wrong ends here."""

from agentics.archive.digest import tree_digest
from agentics.bundle.assemble import assemble, public_copy
from agentics.bundle.check import check
from agentics.bundle.files import read_run_manifest, read_session_manifest
from agentics.bundle.load import Bundle, load_challenge

__all__ = [
    "Bundle",
    "assemble",
    "check",
    "load_challenge",
    "public_copy",
    "read_run_manifest",
    "read_session_manifest",
    "tree_digest",
]
