"""Which of several archives or directories a finding is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from agentics.errors import InvalidDocument
from agentics.model.document.finding import Finding
from agentics.model.document.parsing import invalid


@contextmanager
def naming(source: Path) -> Iterator[None]:
    """An InvalidDocument inside names its files below `source`, as it was given."""
    try:
        yield
    except InvalidDocument as error:
        findings = [finding for finding in error.findings if isinstance(finding, Finding)]
        if not findings:
            raise
        raise invalid([replace(f, file=_below(source, f.file)) for f in findings]) from error


def _below(source: Path, file: str) -> str:
    """The path of a file that is called by its place in the source, or of the source that is called by its name."""
    if file == str(source) or file.startswith(f"{source}/"):
        return file
    if file == source.name or file.startswith(f"{source.name}/"):
        return f"{source}{file.removeprefix(source.name)}"
    return f"{source}/{file}"
