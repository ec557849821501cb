"""Recomputes every digest and chain of a run directory, and names what is not what it was. Changes nothing.

What others rest on is looked at first, so the first finding is the first thing that was altered; a file is named once.
Out of scope is what says who is at work now, and what was told on the way: locks, leases, requests, runtime/eval.log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from agentics.archive.tree import shown_name
from agentics.errors import StorageError, UsageError
from agentics.model.attestation import Attestation, LedgerHead
from agentics.model.ledger import EvidenceRecord
from agentics.model.record import references
from agentics.model.rundir import InvocationLine, InvocationStarted, Manifest, TrialMetadata
from agentics.rundir import ledger, lock
from agentics.rundir.atomic import document_bytes
from agentics.rundir.attest import chain_head, digest_of, digest_of_bytes, seal_of
from agentics.rundir.contents import File, files, place_of, strange
from agentics.rundir.layout import Layout, TrialLayout
from agentics.rundir.reader import read_run
from agentics.rundir.rebuild import differences
from agentics.rundir.scope import fingerprint

M = TypeVar("M", bound=BaseModel)

_SCHEME = b"artifact://"
_TRIAL = r"(?P<trial>trials/[^/]+|(?:forks|replays)/[^/]+/trial_1)"
_COPY = re.compile(_TRIAL + r"/(?P<name>(?!attempts/).+)")
_ATTEMPT = re.compile(_TRIAL + r"/attempts/(?P<number>\d+)/(?P<name>.+)")


@dataclass(frozen=True, kw_only=True)
class Altered:
    """Not what it was. `path` is relative; `line` counts from 1, None for the whole file; digests where known."""

    path: str
    line: int | None = None
    what: str
    expected: str | None = None
    found: str | None = None


@dataclass(frozen=True, kw_only=True)
class Verified:
    """`altered` in the order in which things rest on each other. `notes`: what could not be looked at, and why."""

    run_id: str | None
    altered: tuple[Altered, ...]
    notes: tuple[str, ...]
    files: int


@dataclass(kw_only=True)
class _Look:
    """One look at a run: its files, their digests, and what was found so far."""

    layout: Layout
    there: dict[str, File]
    seal: Attestation | None = None
    current: bool = False
    """The attestation is that of the newest invocation, so it covers everything."""
    altered: dict[str, Altered] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    def report(self, path: str, what: str, *, line: int | None = None, expected: str | None = None) -> None:
        found = self.digest(path) if path in self.there else None
        self.altered.setdefault(path, Altered(path=path, line=line, what=what, expected=expected, found=found))

    def digest(self, path: str) -> str:
        if path not in self.digests:
            self.digests[path] = digest_of(self.there[path].at)
        return self.digests[path]

    def of(self, *kinds: str) -> Iterator[File]:
        return (file for file in self.there.values() if file.kind in kinds)

    @cached_property
    def recorded(self) -> dict[str, str]:
        """The digests that the evidence ledger has of attempts' files; nothing where the ledger itself is doubtful."""
        path = self.layout.evidence_records.relative_to(self.layout.root).as_posix()
        if path in self.altered or path not in self.there:
            return {}
        found: dict[str, str] = {}
        for record in _lines(self.there[path].at, EvidenceRecord):
            refs = record.evidence.model_dump()
            for key, place in record.paths.items():
                if isinstance(ref := refs.get(f"{key}_ref"), str):
                    found[place] = f"sha256:{ref.rpartition('/')[2]}"
        return found


def verify(root: Path) -> Verified:
    """Raises UsageError (no_such_run) where there is no run directory."""
    layout = Layout(Path(os.path.abspath(root)))  # noqa: PTH100 - keeps links as they are
    if not layout.manifest.exists() and not layout.invocations.exists():
        msg = f"{root}: no run directory (manifest.json is missing)"
        raise UsageError(msg, code="no_such_run")
    look = _Look(layout=layout, there={file.path: file for file in files(layout.root)})
    held = lock.is_held(layout.lock)
    for check in (_artifacts, _chains) if held else _CHECKS:
        check(look)
    if held:
        look.notes.append("running: a process is at work on this run; only artifacts and chains were looked at")
    unknown = [path for path, file in look.there.items() if file.place is None]
    look.notes += [f"unknown: {path} is no part of a run" for path in unknown]
    return Verified(
        run_id=_run_id(look), altered=tuple(look.altered.values()), notes=tuple(look.notes), files=len(look.there)
    )


def _strange(look: _Look) -> None:
    """Of a run nothing is a link or a special file: where one stands at the place of a file, that file was altered."""
    for path in strange(look.layout.root):
        if (place := place_of(path)) is not None and place.kind != "live" and path.isprintable():
            look.report(path, "no regular file")
        else:
            look.notes.append(f"unknown: {shown_name(path)} is no part of a run, and no file that one can hold")


def _attestation(look: _Look) -> None:
    name = "attestation.json"
    if name not in look.there:
        look.notes.append("unattested: the run has not ended, or its process died; there is nothing to hold it against")
        return
    data = look.there[name].at.read_bytes()
    seal = _parsed(data, Attestation)
    if seal is None or document_bytes(seal) != data or seal_of(seal) != seal.digest:
        look.report(name, "attestation differs from its own digest", expected=seal.digest if seal else None)
        return
    look.seal = seal
    # A start that came later is what makes an attestation old; whoever removed one has cut the ledger, which shows.
    starts = [line.root for line in _lines(look.layout.invocations, InvocationLine)]
    ids = [entry.invocation_id for entry in starts if isinstance(entry, InvocationStarted)]
    look.current = seal.invocation_id not in ids[:-1]
    if not look.current:
        look.notes.append(
            "unattested: attestation.json is that of an earlier invocation, and covers what there was then"
        )


def _artifacts(look: _Look) -> None:
    for file in look.of("content"):
        name = f"sha256:{file.at.parent.name}"
        if look.digest(file.path) != name:
            look.report(file.path, "artifact differs from the digest in its name", expected=name)


def _attested(look: _Look) -> None:
    if look.seal is None:
        return
    for path, digest in look.seal.documents.items():
        if not look.current and not _ATTEMPT.fullmatch(path):
            continue  # it may have been changed since, by an invocation that nobody attested
        if path not in look.there:
            look.report(path, "attested file is missing", expected=digest)
        elif look.digest(path) != digest:
            look.report(path, "file differs from its attestation", expected=digest)
    added = (f for f in look.of("truth") if f.path not in look.seal.documents and f.path not in look.seal.ledgers)
    for file in added if look.current else ():
        look.report(file.path, "file is not attested: it was added")


def _chains(look: _Look) -> None:
    for file in look.of("truth"):
        if file.form != "ledger":
            continue
        data = file.at.read_bytes()
        broken = ledger.first_broken(ledger.whole_lines(data))
        if broken is not None:
            look.report(file.path, "line breaks the chain of its ledger", line=broken)
        elif data and not data.endswith(b"\n"):
            look.notes.append(f"torn: the last line of {file.path} was not written whole")


def _heads(look: _Look) -> None:
    if look.seal is None:
        return
    for path, kept in look.seal.ledgers.items():
        lines = ledger.whole_lines(look.there[path].at.read_bytes()) if path in look.there else []
        if path not in look.there:
            look.report(path, "attested ledger is missing", expected=kept.head)
        elif len(lines) < kept.lines:
            what = f"ledger was cut: {len(lines)} of {kept.lines} attested lines are left"
            look.report(path, what, line=len(lines) or None, expected=kept.head)
        elif ledger.head_of(lines[: kept.lines]) != kept.head:
            look.report(path, "line differs from the attested head", line=kept.lines, expected=kept.head)
        elif look.current and len(lines) > kept.lines:
            what = f"ledger was added to: {len(lines)} lines where {kept.lines} are attested"
            look.report(path, what, line=kept.lines + 1, expected=kept.head)
    _trial_heads(look, look.seal)


def _trial_heads(look: _Look, seal: Attestation) -> None:
    heads: Mapping[str, LedgerHead] = seal.ledgers
    if any(each.head != chain_head(each.trial_id, heads.items()) for each in seal.events_hashchain):
        look.report("attestation.json", "events_hashchain differs from the ledgers' heads")


def _experiment(look: _Look) -> None:
    """Three say which experiment was resolved; the one that the other two contradict was altered."""
    layout, names = look.layout, ("resolved_experiment.json", "resolved_experiment.digest", "manifest.json")
    missing = [name for name in names if name not in look.there]
    for name in missing:
        look.report(name, "file is missing")
    manifest = None if missing else _parsed(layout.manifest.read_bytes(), Manifest)
    if missing or manifest is None:
        if not missing:
            look.report("manifest.json", "manifest cannot be read")
        return
    noted = layout.resolved_digest.read_bytes().decode(errors="replace")
    said = {
        names[0]: look.digest(names[0]),
        names[1]: noted.removesuffix("\n"),
        names[2]: manifest.resolved_experiment.digest,
    }
    for name in names:
        others = {said[other] for other in names if other != name}
        if len(others) == 1 and said[name] not in others:
            look.report(name, "digest of the resolved experiment differs", expected=others.pop())
    if len(set(said.values())) == len(names):
        look.report(names[0], "digest of the resolved experiment differs", expected=said[names[2]])


def _attempts(look: _Look) -> None:
    for path, digest in look.recorded.items():
        if path not in look.there:
            look.report(path, "file that the evidence ledger records is missing", expected=digest)
        elif look.digest(path) != digest:
            look.report(path, "file differs from what the evidence ledger recorded", expected=digest)


def _copies(look: _Look) -> None:
    sources: dict[tuple[str, str], dict[int, str]] = {}
    for path in look.there:
        if (match := _ATTEMPT.fullmatch(path)) is not None:
            sources.setdefault((match["trial"], match["name"]), {})[int(match["number"])] = path
    for file in look.of("copy"):
        if (match := _COPY.fullmatch(file.path)) is None:
            continue
        own = sources.pop((match["trial"], match["name"]), {})
        newest = max(own, default=None)
        # An attempt whose process died can be newer than what the trial shows.
        shown = [own[newest]] if newest is not None and look.current else own.values()
        expected = [_kept(look, path) for path in shown]
        if look.digest(file.path) not in expected:
            look.report(file.path, "copy differs from the newest attempt's", expected=next(iter(expected), None))
    for (trial, name), own in sources.items() if look.current else ():
        path = f"{trial}/{name}"
        if max(own) == _last_attempt(look, trial) and path not in look.there and _is_copied(name):
            look.report(path, "copy of the newest attempt's is missing", expected=_kept(look, own[max(own)]))


def _kept(look: _Look, path: str) -> str:
    """The digest that a file had, where somebody kept it; else the one that it has."""
    attested = look.seal.documents.get(path) if look.seal else None
    return attested or look.recorded.get(path) or look.digest(path)


def _last_attempt(look: _Look, trial: str) -> int:
    return TrialLayout(look.layout.root / trial).last_attempt()


def _is_copied(name: str) -> bool:
    place = place_of(f"trials/trial/{name}")
    return place is not None and place.kind == "copy"


def _scopes(look: _Look) -> None:
    for path, file in look.there.items():
        if file.place is None or file.place.model is not TrialMetadata:
            continue
        metadata = _parsed(file.at.read_bytes(), TrialMetadata)
        if metadata is None:
            look.report(path, "trial metadata cannot be read")
        elif fingerprint(metadata.scope) != metadata.scope_fingerprint:
            look.report(path, "scope differs from its fingerprint", expected=metadata.scope_fingerprint)
        elif look.layout.trial(metadata.ids.trial_id).root != file.at.parent:
            look.report(path, "trial metadata names another trial", expected=file.at.parent.name)


def _references(look: _Look) -> None:
    have = {file.at.parent.name for file in look.of("content")}
    for file in look.of("truth", "copy"):
        if file.path in look.altered or file.form == "bytes" or _is_unfinished(look, file.path):
            continue
        data = file.at.read_bytes()
        for ref in _named(file, data):
            digest = ref.rpartition("/")[2]
            if digest not in have:
                number = data[: data.find(ref.encode())].count(b"\n") + 1
                look.report(f"artifacts/sha256/{digest}/blob", f"artifact is missing, which {file.path}:{number} names")


def _named(file: File, data: bytes) -> Iterator[str]:
    """The artifacts that a file's own fields name. Whatever text holds of them is only quoted."""
    model = file.place.model if file.place is not None else None
    if model is None or _SCHEME not in data:
        return
    parts = [data] if file.form == "document" else map(ledger.bare, ledger.whole_lines(data))
    for part in parts:
        if _SCHEME in part and (parsed := _parsed(part, model)) is not None:
            yield from references(parsed)


def _is_unfinished(look: _Look, path: str) -> bool:
    """Whether a file belongs to an attempt whose process died: what its ledgers name was perhaps never stored."""
    match = _ATTEMPT.fullmatch(path)
    return match is not None and f"{match['trial']}/attempts/{match['number']}/result.json" not in look.there


def _projections(look: _Look) -> None:
    if look.altered or not look.current or look.seal is None:
        look.notes.append("projections were not compared: what they are made of is altered, or not attested")
        return
    try:
        found = list(differences(read_run(look.layout.root)))
    except StorageError as error:
        look.report(error.message.partition(":")[0], error.message)
        return
    for each in found:
        expected = digest_of_bytes(each.expected) if each.expected is not None else None
        look.report(each.path, each.text, expected=expected)


_CHECKS = (
    _strange,
    _attestation,
    _artifacts,
    _attested,
    _chains,
    _heads,
    _experiment,
    _attempts,
    _copies,
    _scopes,
    _references,
    _projections,
)


def _run_id(look: _Look) -> str | None:
    manifest = _parsed(look.layout.manifest.read_bytes(), Manifest) if "manifest.json" in look.there else None
    return manifest.run_id if manifest else None


def _parsed(data: bytes, model: type[M]) -> M | None:
    with suppress(ValueError):
        return model.model_validate_json(data)
    return None


def _lines(path: Path, model: type[M]) -> Iterator[M]:
    """The lines of a ledger that can be read."""
    for line in ledger.whole_lines(path.read_bytes()) if path.is_file() else ():
        parsed = _parsed(ledger.bare(line), model)
        if parsed is not None:
            yield parsed
