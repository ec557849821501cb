"""Finds and reads a bundle, alone or inside the proposal that carries it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from agentics.bundle.files import SPEC, BundleFiles, directories_with, problems_of_files, specified, unfit
from agentics.model.bundle.challenge import Challenge
from agentics.model.bundle.proposal import Proposal
from agentics.model.document.finding import Finding
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import invalid, place
from agentics.policy.bundle.checks import read_challenge
from agentics.policy.bundle.proposals import differences, read_proposal
from agentics.policy.publish.exposure import network_risks

PROPOSAL = "agentics.challenge.json"


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """A proposal as it was read, with all that is wrong with it. `sound` may lack what is broken.

    `root` is where its bundle lies; None if it has none.
    """

    data: bytes
    file: str
    value: Proposal | None
    sound: Proposal | None
    findings: tuple[Finding, ...]
    root: Path | None


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose `spec.json` is in order. `findings` are warnings; `proposed` is what carries it, if anything."""

    root: Path
    challenge: Challenge
    findings: tuple[Finding, ...] = ()
    proposed: Proposed | None = None

    @property
    def proposal(self) -> Proposal | None:
        return self.proposed.value if self.proposed else None


def load_challenge(path: Path) -> Bundle:
    """The bundle at `path`, which has `spec.json` or, as a proposal, `agentics.challenge.json`.

    Checks what needs neither overlays nor a publication: the specification, the statement, the public data and the
    validation manifest. Raises InvalidDocument with everything that is wrong with any of them.
    """
    proposed, root, files = None, path, BundleFiles(root=path)
    if path.is_dir() and files.kind(SPEC) is None and files.kind(PROPOSAL) is not None:
        proposed = read_proposed(path)
        if proposed.root is None:
            raise invalid(proposed.findings or [_no_bundle(proposed)])
        root, files = proposed.root, BundleFiles(root=proposed.root)
    data = files.read(SPEC, Challenge)
    if isinstance(data, Finding):
        raise invalid([replace(data, hint=f"a bundle has {SPEC}, a proposal has {PROPOSAL}")])
    loaded = read_challenge(data, files.name(SPEC))
    findings = [*loaded.findings, *problems_of_files(specified(files, data, loaded.sound), "public")]
    if proposed is not None:
        findings += [*proposed.findings, *differing(proposed, loaded.sound)]
    if loaded.value is None or findings:
        raise invalid(findings)
    warnings = place(data, network_risks(loaded.value), files.name(SPEC))
    return Bundle(root=root, challenge=loaded.value, findings=warnings, proposed=proposed)


def read_proposed(path: Path) -> Proposed:
    """The proposal in the directory `path`. Raises InvalidDocument when there is none that can be read."""
    files = BundleFiles(root=path)
    data = files.read(PROPOSAL, Proposal)
    if isinstance(data, Finding):
        raise invalid([data])
    name = files.name(PROPOSAL)
    loaded = read_proposal(data, name)
    found, root = list(loaded.findings), None
    named = getattr(loaded.sound, "bundle_path", None)
    if named is not None:
        problem = _no_bundle_there(files, named)
        found += place(data, [problem] if problem else [], name)
        root = None if problem else path / named
    elif loaded.value is None:
        root = _only_bundle(path)
    return Proposed(data=data, file=name, value=loaded.value, sound=loaded.sound, findings=tuple(found), root=root)


def differing(proposed: Proposed, challenge: Challenge | None) -> tuple[Finding, ...]:
    """Where the proposal says otherwise than its bundle. `challenge` may be the sound part of one."""
    if proposed.sound is None or challenge is None:
        return ()
    return place(proposed.data, differences(proposed.sound, challenge), proposed.file)


def _no_bundle_there(files: BundleFiles, path: str) -> Problem | None:
    if files.kind(path) != "directory":
        return unfit(files, ("bundle_path",), path, "directory")
    if files.kind(f"{path}/{SPEC}") != "file":
        message = f"bundle_path names {path}, which has no {SPEC}"
        return Problem(code="missing_file", message=message, path=("bundle_path",), hint=f"a bundle has {SPEC}")
    return None


def _only_bundle(path: Path) -> Path | None:
    """What a proposal most likely means that is too broken to say it."""
    found = directories_with(path, SPEC)
    return found[0] if len(found) == 1 else None


def _no_bundle(proposed: Proposed) -> Finding:
    return Finding(code="no_bundle", message="an archive request has no bundle", file=proposed.file, pointer="/request")
