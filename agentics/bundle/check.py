"""Checks proposals and bundles before anybody publishes or runs them: as many findings as the files allow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from agentics.archive import tree
from agentics.bundle.assemble import OFFICIAL_SETUP
from agentics.bundle.files import SPEC, Files, Level, problems_of_files, problems_of_scripts
from agentics.bundle.leaks import leaks
from agentics.bundle.load import PROPOSAL
from agentics.errors import InvalidDocument, UsageError
from agentics.model.challenge import Challenge
from agentics.model.checkreport import CheckReport, CheckResult, report
from agentics.model.document import place
from agentics.model.finding import Finding
from agentics.model.jsontext import Path as Pointer
from agentics.model.proposal import Proposal
from agentics.policy.checks import read_challenge
from agentics.policy.exposure import below, network_risks
from agentics.policy.proposals import differences, read_proposal

SHAPES = (
    f"PATH is a proposal (it has {PROPOSAL}), a bundle (it has {SPEC}), "
    "a folder with challenges/, or a folder of proposals or bundles"
)


def check(path: Path) -> CheckReport:
    """Check what is at `path`. Raises UsageError when there is nothing that can be checked."""
    for folder in _shapes(path):
        if folder:
            return report(tuple(check_one(each) for each in folder))
    msg = f"{path}: nothing to check"
    raise UsageError(msg, code="nothing_to_check", hint=SHAPES)


def check_one(path: Path) -> CheckResult:
    """Check one proposal or bundle."""
    name: str | None = None
    try:
        name, findings = _check_proposal(path) if (path / PROPOSAL).is_file() else _check_bundle(path)
    except InvalidDocument as error:
        findings = [finding for finding in error.findings if isinstance(finding, Finding)]
    except OSError as error:
        findings = [Finding(code="unreadable", message=str(error.strerror), file=str(error.filename or path))]
    errors = [finding for finding in findings if finding.severity == "error"]
    return CheckResult(
        path=str(path),
        challenge_name=name,
        status="failed" if errors else "passed",
        warnings=tuple(finding.message for finding in findings if finding.severity == "warning"),
        error=f"{errors[0].file}: {errors[0].message}" if errors else None,
        findings=tuple(findings),
    )


def _shapes(path: Path) -> Iterable[list[Path]]:
    """The accepted shapes in the order they are tried: the first that has something is meant."""
    yield [path] if (path / PROPOSAL).is_file() else []
    yield _children(path / "challenges", PROPOSAL)
    yield _children(path, PROPOSAL)
    yield [path] if (path / SPEC).is_file() else []
    yield _children(path / "challenges", SPEC)
    yield _children(path, SPEC)


def _children(path: Path, document: str) -> list[Path]:
    return sorted(each for each in path.iterdir() if (each / document).is_file()) if path.is_dir() else []


def _check_proposal(path: Path) -> tuple[str | None, list[Finding]]:
    files = Files(root=path)
    data = files.read(PROPOSAL)
    findings = list(leaks(path))
    if isinstance(data, Finding):
        return None, [data, *findings]
    loaded = read_proposal(data, files.name(PROPOSAL))
    proposal = loaded.value
    if proposal is None:
        return None, [*loaded.findings, *findings]
    if path.resolve().name != proposal.challenge_name:
        message = f"the directory is called {path.resolve().name}, the challenge {proposal.challenge_name}"
        findings.append(Finding(code="directory_name", message=message, file=str(path)))
    if files.kind(proposal.readme_path) != "file":
        findings.append(files.missing(proposal.readme_path))
    if proposal.bundle_path is not None:
        challenge, more = _check_files(path / proposal.bundle_path, "public", proposal)
        findings += more
        if challenge is not None:
            findings += place(data, differences(proposal, challenge), files.name(PROPOSAL))
    return proposal.challenge_name, findings


def _check_bundle(path: Path) -> tuple[str | None, list[Finding]]:
    """A bundle alone: with private data in place it is one that runs, without it is one to be published."""
    challenge, findings = _check_files(path, "runtime" if _is_assembled(path) else "public", None)
    name = challenge.challenge_name if challenge else None
    if challenge is None or not _is_assembled(path):
        return name, [*findings, *leaks(path)]
    message = f"{challenge.datasets.private_benchmark_dir} is here: this bundle can run, but must not be published"
    private = Finding(code="private_data", message=message, file=str(path), severity="warning")
    links = [tree.link_finding(e, str(path / e.path)) for e in tree.walk(path) if e.kind in {"symlink", "special"}]
    return name, [*findings, private, *links]


def _is_assembled(path: Path) -> bool:
    data = Files(root=path).read(SPEC)
    challenge = None if isinstance(data, Finding) else read_challenge(data).value
    private = challenge.datasets.private_benchmark_dir if challenge else None
    return private is not None and Files(root=path).kind(private) == "directory"


def _check_files(root: Path, level: Level, proposal: Proposal | None) -> tuple[Challenge | None, list[Finding]]:
    files = Files(root=root)
    data = files.read(SPEC)
    if isinstance(data, Finding):
        return None, [data]
    name = files.name(SPEC)
    loaded = read_challenge(data, name)
    if loaded.value is None:
        return None, list(loaded.findings)
    challenge = loaded.value
    findings = [*loaded.findings, *problems_of_files(files, challenge, level)]
    if level == "public":
        findings += _private_present(files, challenge)

    def comes_later(pointer: Pointer, script: str) -> bool:
        return proposal is not None and _is_asset(proposal, challenge, pointer, script)

    findings += problems_of_scripts(files, challenge, data, comes_later)
    return challenge, [*findings, *place(data, network_risks(challenge), name)]


def _private_present(files: Files, challenge: Challenge) -> list[Finding]:
    private = challenge.datasets.private_benchmark_dir
    if private is None or files.kind(private) is None:
        return []
    message = "private data must not be in a bundle that is to be published"
    hint = "it arrives as an overlay"
    return [Finding(code="private_data", message=message, file=files.name(private), hint=hint)]


def _is_asset(proposal: Proposal, challenge: Challenge, pointer: Pointer, script: str) -> bool:
    """Whether a script may arrive with a private asset: one says so, or it serves official evaluations only."""
    assets = proposal.private_assets
    if any(script == path or below(script, path) for asset in assets for path in asset.required_paths):
        return True
    packaged = any(asset.kind == "private_evaluator_package" for asset in assets)
    return packaged and (OFFICIAL_SETUP in pointer or not _validates(challenge))


def _validates(challenge: Challenge) -> bool:
    return any(target.validation_enabled for target in challenge.targets)
