"""What a run directory says of itself, held against the digests and chains that it keeps. Changes nothing.

What others rest on is looked at first, so the first finding is the first thing that was altered; a file is named once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from pydantic import BaseModel

from agentics.archive.tree import shown_name
from agentics.content import as_digest
from agentics.model.run.attestation import Attestation, LedgerHead
from agentics.model.run.directory import (
    Alteration,
    InvocationLine,
    Manifest,
    OperationOpened,
    RunAttested,
    TrialMetadata,
)
from agentics.model.run.ledger import EvidenceRecord
from agentics.rundir.files import ledger
from agentics.rundir.files.atomic import document_bytes
from agentics.rundir.files.contents import RunFile, files, place_of, strange
from agentics.rundir.files.layout import Layout, TrialLayout
from agentics.rundir.projections.attest import accepted, chain_head, covered, digest_of, seal_of
from agentics.rundir.scope import fingerprint

M = TypeVar("M", bound=BaseModel)

Identity = tuple[str, int | None, str | None]
"""Of an alteration: the path, the line, and what is there now: the digest of the line, or of the file."""

ATTESTATION = "attestation.json"
NO_FILE = "no regular file"
_INVOCATIONS = "runtime/invocations.jsonl"
_TRIAL = r"(?P<trial>trials/[^/]+|(?:forks|replays)/[^/]+/trial_1)"
COPY = re.compile(_TRIAL + r"/(?P<name>(?!attempts/).+)")
ONCE = re.compile(
    r"(trials|forks|replays)/.+/attempts/\d+/|(forks|replays)/[^/]+/manifest\.json|"
    r"(regrades|benchmark_history|damaged)/"
)
"""The paths of files that no operation changes after they were attested."""
ATTEMPT = re.compile(_TRIAL + r"/attempts/(?P<number>\d+)/(?P<name>.+)")


@dataclass(kw_only=True)
class Look:
    """One look at a run: its files, their digests, and what was found so far."""

    layout: Layout
    there: dict[str, RunFile]
    seal: Attestation | None = None
    current: bool = False
    """Nothing was to be changed since the attestation was written, so it covers everything."""
    altered: dict[str, Alteration] = field(default_factory=dict)
    """By path, what nobody has accepted."""
    doubtful: set[str] = field(default_factory=set)
    """The paths of all that was altered, accepted or not."""
    notes: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    def report(
        self, path: str, what: str, *, line: int | None = None, expected: str | None = None, sealed: bool = False
    ) -> None:
        """`sealed`: it differs from what was attested, so only what was accepted since then is known."""
        found = self._found(path, line)
        self.doubtful.add(path)
        if (path, line, found) in (self.accepted_since if sealed else self.accepted):
            return
        self.altered.setdefault(path, Alteration(path=path, line=line, what=what, expected=expected, found=found))

    def _found(self, path: str, line: int | None) -> str | None:
        if path not in self.there:
            return None
        if line is None:
            return self.digest(path)
        lines = ledger.whole_lines(self.there[path].read())
        return ledger.digest_of_line(lines[line - 1]) if line <= len(lines) else None

    @cached_property
    def invocations(self) -> list[BaseModel | None]:
        """What each line of the ledger of invocations says, None where it cannot be read."""
        lines = ledger.whole_lines(self.there[_INVOCATIONS].read()) if _INVOCATIONS in self.there else []
        found = (parsed(ledger.bare(line), InvocationLine) for line in lines)
        return [line.root if line is not None else None for line in found]

    @cached_property
    def accepted(self) -> frozenset[Identity]:
        return identities(accepted(filter(None, self.invocations)))

    @property
    def accepted_since(self) -> frozenset[Identity]:
        """Of these, what was accepted after the last attestation, whether it is still there or not."""
        attested = [number for number, entry in enumerate(self.invocations, start=1) if isinstance(entry, RunAttested)]
        return identities(accepted(filter(None, self.invocations[max([self.covers, *attested]) :])))

    @property
    def covers(self) -> int:
        """How many lines of the ledger of invocations the attestation covers."""
        return self.seal.ledgers[_INVOCATIONS].lines if self.seal and _INVOCATIONS in self.seal.ledgers else 0

    def digest(self, path: str) -> str:
        if path not in self.digests:
            self.digests[path] = digest_of(self.there[path].at)
        return self.digests[path]

    def of(self, *kinds: str) -> Iterator[RunFile]:
        return (file for file in self.there.values() if file.kind in kinds)

    @cached_property
    def recorded(self) -> dict[str, str]:
        """The digests that the evidence ledger has of attempts' files; nothing where the ledger itself is doubtful."""
        path = self.layout.evidence_records.relative_to(self.layout.root).as_posix()
        if path in self.doubtful or path not in self.there:
            return {}
        found: dict[str, str] = {}
        for record in ledger.believed(self.there[path].at, EvidenceRecord):
            refs = record.evidence.model_dump()
            for key, place in record.paths.items():
                if isinstance(ref := refs.get(f"{key}_ref"), str):
                    found[place] = as_digest(ref.rpartition("/")[2])
        return found


def identities(alterations: Iterable[Alteration]) -> frozenset[Identity]:
    return frozenset((each.path, each.line, each.found) for each in alterations)


def look_at(layout: Layout, *, whole: bool) -> Look:
    """What whoever goes on with a run could cover up: all but artifacts, references and projections, which say at any
    time whether they are right. For a run that nobody works on.

    Not `whole`: where nothing is attested since the last change, a trial's copies and metadata are left out. They may
    be those of a process that died, and whoever goes on brings them into order.
    """
    look = Look(layout=layout, there={file.path: file for file in files(layout.root)})
    _strange(look)
    if not _began(look):
        return look
    for check in (_attestation, _attested, look_at_chains, _heads, _experiment, _attempts):
        check(look)
    if whole or look.current:
        _copies(look)
        _scopes(look)
    return look


def parsed(data: bytes, model: type[M]) -> M | None:
    """None where it is no such document."""
    with suppress(ValueError):
        return model.model_validate_json(data)
    return None


def _strange(look: Look) -> None:
    """Of a run nothing is a link or a special file: where one stands at the place of a file, that file was altered."""
    for path in strange(look.layout.root):
        if (place := place_of(path)) is not None and place.kind != "live" and path.isprintable():
            look.report(path, NO_FILE)
        else:
            look.notes.append(f"unknown: {shown_name(path)} is no part of a run, and no file that one can hold")


def _began(look: Look) -> bool:
    """Whether an invocation of the run has begun. Whoever begins says so first: nothing else is older than the ledger
    of invocations."""
    if _INVOCATIONS in look.there:
        return True
    later = (ATTESTATION, "runtime/run_control.json", "runtime/slot_commit_journal.jsonl", "trials/")
    if any(path.startswith(later) for path in look.there):
        look.report(_INVOCATIONS, "file is missing")
        return True
    return False


def _attestation(look: Look) -> None:
    look.seal = _seal(look)
    if look.seal is not None:
        _look_at_what_followed(look, look.seal)
    known = {*look.seal.documents, *look.seal.ledgers} if look.seal else set()
    mine = {file.path for file in covered(look.layout, look.there.values())} | known
    for path in [path for path in look.there if path not in mine]:
        del look.there[path]
        look.notes.append(f"unfinished: {path} belongs to a fork or a replay that is not committed")


def _seal(look: Look) -> Attestation | None:
    """The attestation, if it is one, and the newest that was written."""
    if ATTESTATION not in look.there:
        _look_for_a_missing_one(look)
        return None
    data = look.there[ATTESTATION].read()
    seal = parsed(data, Attestation)
    if seal is None or document_bytes(seal) != data or seal_of(seal) != seal.digest:
        expected = seal.digest if seal else None
        look.report(ATTESTATION, "attestation differs from its own digest", expected=expected, sealed=True)
        return None
    return seal


def _look_at_what_followed(look: Look, seal: Attestation) -> None:
    """What follows the lines that an attestation covers is the line that records it. Any more begin with one that says
    that a change was to come."""
    after = look.invocations[look.covers :]
    recorded = bool(after) and isinstance(after[0], RunAttested) and after[0].digest == seal.digest
    rest = after[1:] if recorded else after
    look.current = not rest
    newer = [entry.digest for entry in rest if isinstance(entry, RunAttested)]
    if newer:
        what = f"attestation is older than the last one that {_INVOCATIONS} records"
        look.report(ATTESTATION, what, expected=newer[-1], sealed=True)
    elif rest and not isinstance(rest[0], OperationOpened):
        line = look.covers + len(after) - len(rest) + 1
        look.report(_INVOCATIONS, "ledger was added to: no operation was opened before this line", line=line)
    elif rest:
        look.notes.append("unattested: attestation.json is older than the last operation, and covers what was before")
    elif not recorded:
        look.notes.append(f"unrecorded: {_INVOCATIONS} lacks the line that records attestation.json")


def _look_for_a_missing_one(look: Look) -> None:
    recorded = [entry.digest for entry in look.invocations if isinstance(entry, RunAttested)]
    if recorded:
        what = f"attestation is missing, which {_INVOCATIONS} records"
        look.report(ATTESTATION, what, expected=recorded[-1], sealed=True)
    look.notes.append("unattested: the run has not ended, or its process died; there is nothing to hold it against")


def _attested(look: Look) -> None:
    if look.seal is None:
        return
    for path, digest in look.seal.documents.items():
        if not look.current and not ONCE.match(path):
            continue  # it may have been changed since, by an invocation that nobody attested
        if path not in look.there:
            look.report(path, "attested file is missing", expected=digest, sealed=True)
        elif look.digest(path) != digest:
            look.report(path, "file differs from its attestation", expected=digest, sealed=True)
    added = (f for f in look.of("truth") if f.path not in look.seal.documents and f.path not in look.seal.ledgers)
    for file in added if look.current else ():
        look.report(file.path, "file is not attested: it was added", sealed=True)


def look_at_chains(look: Look) -> None:
    for file in look.of("truth"):
        if file.form != "ledger":
            continue
        data = file.read()
        for number in ledger.broken(ledger.whole_lines(data)):
            look.report(file.path, "line breaks the chain of its ledger", line=number)
        if file.path not in look.doubtful and data and not data.endswith(b"\n"):
            look.notes.append(f"torn: the last line of {file.path} was not written whole")


def _heads(look: Look) -> None:
    if look.seal is None:
        return
    for path, kept in look.seal.ledgers.items():
        lines = ledger.whole_lines(look.there[path].read()) if path in look.there else []
        if path not in look.there:
            look.report(path, "attested ledger is missing", expected=kept.head, sealed=True)
        elif len(lines) < kept.lines:
            what = f"ledger was cut: {len(lines)} of {kept.lines} attested lines are left"
            look.report(path, what, line=len(lines) or None, expected=kept.head, sealed=True)
        elif ledger.head_of(lines[: kept.lines]) != kept.head:
            look.report(path, "line differs from the attested head", line=kept.lines, expected=kept.head, sealed=True)
        elif look.current and path != _INVOCATIONS and len(lines) > kept.lines:
            what = f"ledger was added to: {len(lines)} lines where {kept.lines} are attested"
            look.report(path, what, line=kept.lines + 1, expected=kept.head, sealed=True)
    _trial_heads(look, look.seal)


def _trial_heads(look: Look, seal: Attestation) -> None:
    heads: Mapping[str, LedgerHead] = seal.ledgers
    if any(each.head != chain_head(each.trial_id, heads.items()) for each in seal.events_hashchain):
        look.report("attestation.json", "events_hashchain differs from the ledgers' heads")


def _experiment(look: Look) -> None:
    """Three say which experiment was resolved; the one that the other two contradict was altered."""
    names = ("resolved_experiment.json", "resolved_experiment.digest", "manifest.json")
    missing = [name for name in names if name not in look.there]
    for name in missing:
        look.report(name, "file is missing")
    manifest = None if missing else parsed(look.there["manifest.json"].read(), Manifest)
    if missing or manifest is None:
        if not missing:
            look.report("manifest.json", "manifest cannot be read")
        return
    noted = look.there["resolved_experiment.digest"].read().decode(errors="replace")
    said = {
        names[0]: look.digest(names[0]),
        names[1]: noted.removesuffix("\n"),
        names[2]: manifest.resolved_experiment.digest,
    }
    told = look.invocations
    if len(set(said.values())) > 1 and told and isinstance(told[-1], OperationOpened):
        look.notes.append("unfinished: the process that was to write down its experiment died meanwhile")
        return
    for name in names:
        others = {said[other] for other in names if other != name}
        if len(others) == 1 and said[name] not in others:
            look.report(name, "digest of the resolved experiment differs", expected=others.pop())
    if len(set(said.values())) == len(names):
        look.report(names[0], "digest of the resolved experiment differs", expected=said[names[2]])


def _attempts(look: Look) -> None:
    for path, digest in look.recorded.items():
        if path not in look.there:
            look.report(path, "file that the evidence ledger records is missing", expected=digest)
        elif look.digest(path) != digest:
            look.report(path, "file differs from what the evidence ledger recorded", expected=digest)


def _copies(look: Look) -> None:
    sources: dict[tuple[str, str], dict[int, str]] = {}
    for path in look.there:
        if (match := ATTEMPT.fullmatch(path)) is not None:
            sources.setdefault((match["trial"], match["name"]), {})[int(match["number"])] = path
    for file in look.of("copy"):
        if (match := COPY.fullmatch(file.path)) is None:
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


def _kept(look: Look, path: str) -> str:
    """The digest that a file had, where somebody kept it; else the one that it has."""
    attested = look.seal.documents.get(path) if look.seal else None
    return attested or look.recorded.get(path) or look.digest(path)


def _last_attempt(look: Look, trial: str) -> int:
    return TrialLayout(look.layout.root / trial).last_attempt()


def _is_copied(name: str) -> bool:
    place = place_of(f"trials/trial/{name}")
    return place is not None and place.kind == "copy"


def _scopes(look: Look) -> None:
    for path, file in look.there.items():
        if file.place is None or file.place.model is not TrialMetadata:
            continue
        metadata = parsed(file.read(), TrialMetadata)
        if metadata is None:
            look.report(path, "trial metadata cannot be read")
        elif fingerprint(metadata.scope) != metadata.scope_fingerprint:
            look.report(path, "scope differs from its fingerprint", expected=metadata.scope_fingerprint)
        elif look.layout.trial(metadata.ids.trial_id).root != file.at.parent:
            look.report(path, "trial metadata names another trial", expected=file.at.parent.name)
