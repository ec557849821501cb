"""Looks for what must not be in a public repository: secrets and private data, by name, and links to anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

from agentics.archive import tree
from agentics.model.document.finding import Finding

NAMES = frozenset(
    {".env", ".env.local", ".env.production", "id_rsa", "id_ed25519", "secret", "secrets", "private"}
    | {"private-benchmark", "private_benchmark", "heldout", "heldout-data", "reference-output", "reference-outputs"}
)
SUFFIXES = (".pem", ".key", ".p12")
# ASCII only: the Kelvin sign is no k.
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def leaks(root: Path) -> Iterator[Finding]:
    """Everything below `root` but `.git`. Raises InvalidDocument when the tree is beyond the caps."""
    for entry in tree.walk(root, skip=lambda path: path.rpartition("/")[2] == ".git"):
        name = tree.name_of(entry).translate(_LOWER)
        file = str(root / entry.path)
        if name in NAMES or name.endswith(SUFFIXES):
            message = f"{name!r} looks private, and this is to be published"
            yield Finding(code="private_name", message=message, file=file, hint="private data arrives as an overlay")
        if entry.kind not in {"file", "directory"}:
            yield tree.link_finding(entry, file)
