"""Recomputes every digest and chain of a run directory, and names what is not what it was. Changes nothing.

Out of scope is what says who is at work now, and what was told on the way: locks, leases, requests, runtime/eval.log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentics.content import as_digest
from agentics.errors import StorageError, UsageError
from agentics.model.document.record import references
from agentics.model.run.directory import Alteration, Manifest, RunControl
from agentics.rundir.files import ledger, lock, safe_files
from agentics.rundir.files.contents import RunFile, files
from agentics.rundir.files.layout import Layout
from agentics.rundir.integrity.checks import ATTEMPT, ATTESTATION, Look, look_at, look_at_chains, parsed
from agentics.rundir.projections.attest import accepted, digest_of_bytes
from agentics.rundir.projections.rebuild import differences
from agentics.rundir.reader import read_run

_ENDS = frozenset({"completed", "failed", "killed"})
_SCHEME = b"artifact://"


@dataclass(frozen=True, kw_only=True)
class Verified:
    """`altered` in the order in which things rest on each other. `accepted`: what was altered once, and somebody went
    on with. `notes`: what could not be looked at, and why."""

    run_id: str | None
    altered: tuple[Alteration, ...]
    accepted: tuple[Alteration, ...]
    notes: tuple[str, ...]
    files: int


def verify(root: Path) -> Verified:
    """Raises UsageError (no_such_run) where there is no run directory."""
    layout = Layout(safe_files.real(root))
    if not layout.manifest.exists() and not layout.invocations.exists():
        msg = f"{root}: no run directory (manifest.json is missing)"
        raise UsageError(msg, code="no_such_run")
    if lock.is_held(layout.lock):
        look = Look(layout=layout, there={file.path: file for file in files(layout.root)})
        look_at_chains(look)
        _artifacts(look)
        look.notes.append("running: a process is at work on this run; only artifacts and chains were looked at")
    else:
        look = look_at(layout, whole=True)
        for check in (_concluded, _artifacts, _references, _projections):
            check(look)
    unknown = [path for path, file in look.there.items() if file.place is None]
    look.notes += [f"unknown: {path} is no part of a run" for path in unknown]
    return Verified(
        run_id=_run_id(look),
        altered=tuple(look.altered.values()),
        accepted=accepted(filter(None, look.invocations)),
        notes=tuple(look.notes),
        files=len(look.there),
    )


def _concluded(look: Look) -> None:
    """A run that says how it ended has an attestation, unless its process died in between."""
    control = (
        parsed(safe_files.read_file(look.layout.control), RunControl)
        if safe_files.is_file(look.layout.control)
        else None
    )
    if control is not None and control.status in _ENDS and ATTESTATION not in look.there:
        what = f"a {control.status} run has no attestation: its process died before it wrote one, or it was removed"
        look.report(ATTESTATION, what, sealed=True)


def _artifacts(look: Look) -> None:
    for file in look.of("content"):
        name = as_digest(file.at.parent.name)
        if look.digest(file.path) != name:
            look.report(file.path, "artifact differs from the digest in its name", expected=name)


def _references(look: Look) -> None:
    have = {file.at.parent.name for file in look.of("content")}
    for file in look.of("truth", "copy"):
        if file.path in look.doubtful or file.form == "bytes" or _is_unfinished(look, file.path):
            continue
        data = file.read()
        for ref in _named(file, data):
            digest = ref.rpartition("/")[2]
            if digest not in have:
                number = data[: data.find(ref.encode())].count(b"\n") + 1
                look.report(f"artifacts/sha256/{digest}/blob", f"artifact is missing, which {file.path}:{number} names")


def _named(file: RunFile, data: bytes) -> Iterator[str]:
    """The artifacts that a file's own fields name. Whatever text holds of them is only quoted."""
    model = file.place.model if file.place is not None else None
    if model is None or _SCHEME not in data:
        return
    parts = [data] if file.form == "document" else map(ledger.bare, ledger.whole_lines(data))
    for part in parts:
        if _SCHEME in part and (found := parsed(part, model)) is not None:
            yield from references(found)


def _is_unfinished(look: Look, path: str) -> bool:
    """Whether a file belongs to an attempt whose process died: what its ledgers name was perhaps never stored."""
    match = ATTEMPT.fullmatch(path)
    return match is not None and f"{match['trial']}/attempts/{match['number']}/result.json" not in look.there


def _projections(look: Look) -> None:
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


def _run_id(look: Look) -> str | None:
    manifest = parsed(look.there["manifest.json"].read(), Manifest) if "manifest.json" in look.there else None
    return manifest.run_id if manifest else None
