"""Finds and reads a bundle, alone or inside the proposal that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentics.bundle.files import SPEC, Files, problems_of_files
from agentics.model.challenge import Challenge
from agentics.model.document import invalid, place
from agentics.model.finding import Finding
from agentics.model.proposal import Proposal
from agentics.policy.checks import read_challenge
from agentics.policy.exposure import network_risks
from agentics.policy.proposals import differences, read_proposal

PROPOSAL = "agentics.challenge.json"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle whose `spec.json` is in order. `findings` are warnings; `proposal` is there if the path was one."""

    root: Path
    challenge: Challenge
    findings: tuple[Finding, ...] = ()
    proposal: Proposal | None = None


def load_challenge(path: Path) -> Bundle:
    """The bundle at `path`, which has `spec.json` or, as a proposal, `agentics.challenge.json`.

    Checks what needs neither overlays nor a publication: the specification, the statement, the public data and the
    validation manifest. Raises InvalidDocument.
    """
    proposal, root = None, path
    if not (path / SPEC).is_file() and (path / PROPOSAL).is_file():
        proposal, root = _proposal(path)
    files = Files(root=root)
    data = files.read(SPEC)
    if isinstance(data, Finding):
        raise invalid([_hinted(data)])
    loaded = read_challenge(data, files.name(SPEC))
    if loaded.value is None:
        raise invalid(loaded.findings)
    findings = problems_of_files(files, loaded.value, "public")
    if proposal is not None:
        findings += _differences(path, proposal, loaded.value)
    if findings:
        raise invalid(findings)
    warnings = place(data, network_risks(loaded.value), files.name(SPEC))
    return Bundle(root=root, challenge=loaded.value, findings=warnings, proposal=proposal)


def _proposal(path: Path) -> tuple[Proposal, Path]:
    files = Files(root=path)
    data = files.read(PROPOSAL)
    if isinstance(data, Finding):
        raise invalid([data])
    loaded = read_proposal(data, files.name(PROPOSAL))
    if loaded.value is None:
        raise invalid(loaded.findings)
    if loaded.value.bundle_path is None:
        message = "an archive request has no bundle"
        raise invalid([Finding(code="no_bundle", message=message, file=files.name(PROPOSAL), pointer="/request")])
    return loaded.value, path / loaded.value.bundle_path


def _differences(path: Path, proposal: Proposal, challenge: Challenge) -> tuple[Finding, ...]:
    files = Files(root=path)
    data = files.read(PROPOSAL)
    if isinstance(data, Finding):
        return (data,)
    return place(data, differences(proposal, challenge), files.name(PROPOSAL))


def _hinted(finding: Finding) -> Finding:
    hint = f"a bundle has {SPEC}, a proposal has {PROPOSAL}"
    return Finding(code=finding.code, message=finding.message, file=finding.file, hint=hint)
