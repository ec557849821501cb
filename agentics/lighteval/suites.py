"""The suites that are here: those we ship and those in the operator's folders, each name and version once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from agentics.archive.documents import read_document
from agentics.errors import ConfigError, InvalidDocument, UsageError
from agentics.model.document.finding import Finding
from agentics.model.document.formats import format_of, read
from agentics.model.document.parsing import Rule
from agentics.model.job.suite import RULES, Suite

SuiteFiles = Mapping[str, bytes | InvalidDocument]
"""The files of a folder by name; for a link or another special file, why it is not read."""
Reader = Callable[[str], SuiteFiles]
"""From a folder, or its URL, to the files in it."""

_SHIPPED = "shipped_suites"
_PART = re.compile(r"[.+_-]|(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)")


@dataclass(frozen=True, kw_only=True)
class ListedSuite:
    """`source` is the file, as people are told of it."""

    suite: Suite
    source: str


@dataclass(frozen=True, kw_only=True)
class SuiteCatalogue:
    """The suites, and what is wrong with files that are none. `ambiguous`: the files of each name and version that is
    several different suites; the first of them is in `listed`."""

    listed: tuple[ListedSuite, ...] = ()
    findings: tuple[Finding, ...] = ()
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def versions(self, name: str) -> tuple[ListedSuite, ...]:
        """Those of that name, the newest last."""
        found = [each for each in self.listed if each.suite.name == name]
        return tuple(sorted(found, key=lambda each: _age(each.suite.version)))

    def find(self, wanted: str) -> ListedSuite | None:
        """`name@version`, or the newest version of `name`; None where there is none. Raises UsageError
        (`duplicate_suite`) where it is several different suites."""
        name, _, version = wanted.partition("@")
        found = [each for each in self.versions(name) if version in ("", each.suite.version)]
        if not found:
            return None
        files = self.ambiguous.get(found[-1].suite.id)
        if files is not None:
            msg = f"{found[-1].suite.id} is not one suite: {' and '.join(files)} differ"
            raise UsageError(msg, code="duplicate_suite", hint="give one of them another version")
        return found[-1]


def folder_files(place: str) -> SuiteFiles:
    """The files of a folder on this machine. Raises ConfigError."""
    if "://" in place:
        msg = f"{place}: a URL cannot be read here"
        raise ConfigError(msg)
    try:
        files = [path for path in sorted(Path(place).iterdir()) if not path.is_dir() and format_of(path.name)]
        return {path.name: _document(path) for path in files}
    except OSError as error:
        msg = f"{place}: {error.strerror}"
        raise ConfigError(msg, hint="[lighteval] suites in agentics.toml lists folders of suites") from error


def read_suites(places: Sequence[str] = (), reader: Reader = folder_files) -> SuiteCatalogue:
    """The shipped ones and those in `places`. Whatever `reader` raises is raised."""
    listed: list[ListedSuite] = []
    findings: list[Finding] = []
    ambiguous: dict[str, tuple[str, ...]] = {}
    for source, name, data in _files(places, reader):
        try:
            if isinstance(data, InvalidDocument):
                raise data
            suite = parse_suite(data, name, source)
        except InvalidDocument as error:
            findings += [finding for finding in error.findings if isinstance(finding, Finding)]
            continue
        same = next((each for each in listed if each.suite.id == suite.id), None)
        if same is None:
            listed.append(ListedSuite(suite=suite, source=source))
        elif same.suite != suite:
            message = f"{suite.id} is another suite in {same.source}"
            hint = "what changes gets another version"
            findings.append(Finding(code="duplicate_suite", message=message, file=source, hint=hint))
            ambiguous[suite.id] = (*ambiguous.get(suite.id, (same.source,)), source)
    return SuiteCatalogue(listed=tuple(listed), findings=tuple(findings), ambiguous=ambiguous)


def parse_suite(data: bytes, name: str, source: str, more: Sequence[Rule[Suite]] = ()) -> Suite:
    """A suite as JSON, TOML or YAML, by the end of `name`. Raises InvalidDocument; UsageError for other files."""
    kind = format_of(name)
    if kind is None:
        msg = f"{source}: which format is this?"
        raise UsageError(msg, hint="a suite is called *.json, *.toml or *.yaml")
    return read(Suite, data, kind, source, (*RULES, *more))


def _document(path: Path) -> bytes | InvalidDocument:
    try:
        return read_document(path, Suite)
    except InvalidDocument as error:
        return error


def _files(places: Sequence[str], reader: Reader) -> Iterator[tuple[str, str, bytes | InvalidDocument]]:
    """Source, name and content."""
    folder = resources.files("agentics.lighteval").joinpath(_SHIPPED)
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        yield f"agentics:{file.name}", file.name, file.read_bytes()
    for place in places:
        for name, data in sorted(reader(place).items()):
            if format_of(name) is not None:
                yield f"{place.rstrip('/')}/{name}", name, data


def _age(version: str) -> list[tuple[int, int, str]]:
    """Sorts versions: numbers as numbers, and `1.0-rc1` before `1.0`."""
    parts = [part for part in _PART.split(version) if part]
    keys = [(2, int(part), "") if part.isascii() and part.isdecimal() else (0, 0, part) for part in parts]
    return [*keys, (1, 0, "")]
