"""Checks proposals and bundles before anybody publishes or runs them: as many findings as the files allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from agentics.archive import hostile, tree
from agentics.bundle.assemble import OFFICIAL_SETUP
from agentics.bundle.files import (
    SPEC,
    BundleFiles,
    Level,
    Specified,
    directories_with,
    problems_of_files,
    problems_of_scripts,
    specified,
    unfit,
)
from agentics.bundle.leaks import leaks
from agentics.bundle.load import PROPOSAL, Proposed, differing, read_proposed
from agentics.errors import InvalidDocument, UsageError
from agentics.model.bundle.challenge import Challenge
from agentics.model.bundle.check_report import CheckReport, CheckResult, report
from agentics.model.document.finding import Finding
from agentics.model.document.json_text import Path as Pointer
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import capped, place
from agentics.policy.bundle.checks import read_challenge
from agentics.policy.publish.exposure import below, network_risks

SHAPES = (
    f"PATH is a proposal (it has {PROPOSAL}), a bundle (it has {SPEC}), "
    "a folder with challenges/, or a folder of proposals or bundles"
)


def check(path: Path) -> CheckReport:
    """Check what is at `path`. Raises UsageError when there is nothing that can be checked."""
    for folder, inside in _shapes(path):
        if inside:
            beside = () if folder == inside[0] else tuple(_links(folder))
            return report((*(check_one(each) for each in inside), *beside))
    links = tuple(link for folder in _folders(path) for link in _links(folder))
    if links:
        return report(links)
    msg = f"{path}: nothing to check"
    raise UsageError(msg, code="nothing_to_check", hint=SHAPES)


def check_one(path: Path) -> CheckResult:
    """Check one proposal or bundle."""
    name: str | None = None
    try:
        name, findings = _check_proposal(path) if _has(path, PROPOSAL) else _check_bundle(path)
    except InvalidDocument as error:
        findings = [finding for finding in error.findings if isinstance(finding, Finding)]
    except OSError as error:
        findings = [Finding(code="unreadable", message=str(error.strerror), file=str(error.filename or path))]
    return _result(path, name, findings)


def _result(path: Path, name: str | None, findings: Sequence[Finding]) -> CheckResult:
    findings = capped(findings)
    errors = [finding for finding in findings if finding.severity == "error"]
    return CheckResult(
        path=str(path),
        challenge_name=name,
        status="failed" if errors else "passed",
        warnings=tuple(finding.message for finding in findings if finding.severity == "warning"),
        error=f"{errors[0].file}: {errors[0].message}" if errors else None,
        findings=findings,
    )


def _shapes(path: Path) -> Iterable[tuple[Path, list[Path]]]:
    """The accepted shapes in the order they are tried, each a folder with what is checked in it: the first that has
    something is meant."""
    for document in (PROPOSAL, SPEC):
        yield path, [path] if _has(path, document) else []
        for folder in _folders(path):
            yield folder, directories_with(folder, document)


def _has(path: Path, document: str) -> bool:
    return path.is_dir() and BundleFiles(root=path).kind(document) is not None


def _folders(path: Path) -> list[Path]:
    """Where bundles or proposals may be."""
    if not path.is_dir():
        return []
    return [path / "challenges", path] if BundleFiles(root=path).kind("challenges") == "directory" else [path]


def _links(folder: Path) -> Iterator[CheckResult]:
    """The links in a folder: each may stand for a bundle, and none is followed."""
    with hostile.opened(folder) as fd:
        links = [entry for entry in tree.entries(fd) if entry.kind == "symlink"]
    for entry in links:
        file = str(folder / entry.path)
        yield _result(folder / entry.path, None, [tree.link_finding(entry, file)])


def _check_proposal(path: Path) -> tuple[str | None, list[Finding]]:
    proposed = read_proposed(path)
    name = getattr(proposed.sound, "challenge_name", None)
    findings = [*proposed.findings, *leaks(path), *place(proposed.data, _problems(path, proposed), proposed.file)]
    if proposed.root is not None:
        challenge, more = _check_files(proposed.root, "public", proposed)
        findings += [*more, *differing(proposed, challenge)]
    return name, findings


def _problems(path: Path, proposed: Proposed) -> Iterator[Problem]:
    """What is wrong with a proposal beside its bundle."""
    files, name = BundleFiles(root=path), getattr(proposed.sound, "challenge_name", None)
    if name is not None and path.resolve().name != name:
        message = f"challenge_name is {name}, but the directory is called {path.resolve().name}"
        hint = "give both the same name"
        yield Problem(code="directory_name", message=message, path=("challenge_name",), hint=hint)
    readme = getattr(proposed.sound, "readme_path", None)
    if readme is not None and files.kind(readme) != "file":
        yield unfit(files, ("readme_path",), readme)


def _check_bundle(path: Path) -> tuple[str | None, list[Finding]]:
    """A bundle alone: with private data in place it is one that runs, without it is one to be published."""
    private = _assembled_with(path)
    challenge, findings = _check_files(path, "runtime" if private else "public", None)
    name = getattr(challenge, "challenge_name", None)
    if private is None:
        return name, [*findings, *leaks(path)]
    message = f"{private} is here: this bundle can run, but must not be published"
    warning = Finding(code="private_data", message=message, file=str(path), severity="warning")
    links = [tree.link_finding(e, str(path / e.path)) for e in tree.walk(path) if e.kind in {"symlink", "special"}]
    return name, [*findings, warning, *links]


def _assembled_with(path: Path) -> str | None:
    """The directory of private data, if it is in place."""
    data = BundleFiles(root=path).read(SPEC, Challenge)
    if isinstance(data, Finding):
        return None
    spec = specified(BundleFiles(root=path), data, read_challenge(data).sound)
    return spec.private if spec.private is not None and spec.files.kind(spec.private) == "directory" else None


def _check_files(root: Path, level: Level, proposed: Proposed | None) -> tuple[Challenge | None, list[Finding]]:
    """Everything that is wrong with a bundle, and the challenge as far as it is sound."""
    files = BundleFiles(root=root)
    data = files.read(SPEC, Challenge)
    if isinstance(data, Finding):
        return None, [data]
    loaded = read_challenge(data, files.name(SPEC))
    spec = specified(files, data, loaded.sound)
    findings = [*loaded.findings, *problems_of_files(spec, level)]
    if level == "public":
        findings += _private_present(spec)

    def comes_later(pointer: Pointer, script: str) -> bool:
        return proposed is not None and _is_asset(proposed, spec, pointer, script)

    findings += problems_of_scripts(spec, comes_later)
    if loaded.value is not None:
        findings += spec.place(network_risks(loaded.value))
    return loaded.sound, findings


def _private_present(spec: Specified) -> tuple[Finding, ...]:
    if spec.private is None or spec.files.kind(spec.private) is None:
        return ()
    message = f"private_benchmark_dir names {spec.private}, which must not be in a bundle that is to be published"
    path = ("datasets", "private_benchmark_dir")
    return spec.place([Problem(code="private_data", message=message, path=path, hint="it arrives as an overlay")])


def _is_asset(proposed: Proposed, spec: Specified, pointer: Pointer, script: str) -> bool:
    """Whether a script may arrive with a private asset: one says so, or it serves official evaluations only."""
    assets = getattr(proposed.sound, "private_assets", None)
    if assets is None:
        return True  # which assets there are cannot be read
    if any(script == path or below(script, path) for asset in assets for path in asset.required_paths):
        return True
    packaged = any(asset.kind == "private_evaluator_package" for asset in assets)
    return packaged and (OFFICIAL_SETUP in pointer or not spec.validates)
