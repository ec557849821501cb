"""Puts a bundle together as evaluators see it: the public copy, or in official mode with its overlays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from agentics.archive import tree
from agentics.archive.envelope import OVERLAY, inspect, parents, unpack
from agentics.archive.origin import naming
from agentics.bundle.files import SPEC, BundleFiles, problems_of_files, problems_of_scripts, specified
from agentics.bundle.load import PROPOSAL, Bundle
from agentics.model.bundle.challenge import Challenge
from agentics.model.bundle.proposal import PrivateAsset, Proposal
from agentics.model.document.finding import Finding
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import invalid, place
from agentics.model.document.record import Mode
from agentics.policy.bundle.checks import locator

OFFICIAL_SETUP = "official_evaluation_setup"


@dataclass(frozen=True, kw_only=True)
class _Overlay:
    """`paths` are its files and all directories above them."""

    source: Path
    paths: frozenset[str]

    @property
    def name(self) -> str:
        return self.source.resolve().name.removesuffix(".zip")

    def has(self, asset: PrivateAsset) -> bool:
        return self.paths.issuperset(asset.required_paths)


def assemble(bundle: Bundle, overlays: Sequence[Path], dest: Path, mode: Mode) -> Bundle:
    """Copy the bundle into the empty directory `dest`, made if need be, and check that it can run.

    In validation mode private data and overlays are left out. Files become 0644 or 0755, directories 0755. Raises
    InvalidDocument; what is in `dest` then is of no use.
    """
    dest.mkdir(parents=True, exist_ok=True)
    if mode == "official":
        found = [_look_into(path) for path in overlays]
        _refuse(_asset_problems(bundle, found))
        _copy(bundle, dest, frozenset())
        for overlay in found:
            with naming(overlay.source):
                _lay_over(overlay.source, dest)
    else:
        public_copy(bundle, dest)
    assembled = replace(bundle, root=dest)
    _refuse(_problems(assembled, mode))
    return assembled


def public_copy(bundle: Bundle, dest: Path) -> None:
    """Copy all but private data into the existing directory `dest`. Raises InvalidDocument on links."""
    private = bundle.challenge.datasets.private_benchmark_dir
    _copy(bundle, dest, frozenset() if private is None else frozenset({private}))


def _copy(bundle: Bundle, dest: Path, exclude: frozenset[str]) -> None:
    job = tree.Copy(exclude=exclude)
    tree.copy(bundle.root, dest, job)
    _refuse(job.findings)


def _refuse(findings: Sequence[Finding]) -> None:
    if findings:
        raise invalid(findings)


def _problems(assembled: Bundle, mode: Mode) -> list[Finding]:
    files, challenge = BundleFiles(root=assembled.root), assembled.challenge
    data = files.read(SPEC, Challenge)
    if isinstance(data, Finding):
        return [data]
    spec = specified(files, data, challenge)
    scripts = problems_of_scripts(spec, lambda path, _: mode == "validation" and OFFICIAL_SETUP in path)
    found = [*problems_of_files(spec, "runtime" if mode == "official" else "public"), *scripts]
    # Findings name files of the copy; the author knows them by the challenge they belong to.
    return [replace(f, file=f.file.replace(str(assembled.root), challenge.challenge_name, 1)) for f in found]


def _look_into(source: Path) -> _Overlay:
    """Raises InvalidDocument, which names the overlay, when it breaks its envelope."""
    paths: set[str] = set()
    with naming(source):
        if source.is_dir():
            paths.update(entry.path for entry in tree.walk(source))
        else:
            with _opened(source) as file:
                paths.update(member.path for member in inspect(file, source.name, OVERLAY).members)
    return _Overlay(source=source, paths=frozenset(paths | {parent for path in paths for parent in parents(path)}))


def _lay_over(source: Path, dest: Path) -> None:
    if source.is_dir():
        job = tree.Copy()
        tree.copy(source, dest, job)
        _refuse(job.findings)
        return
    with _opened(source) as file:
        unpack(file, source.name, inspect(file, source.name, OVERLAY), dest)


def _opened(source: Path) -> BinaryIO:
    try:
        return os.fdopen(tree.open_regular(None, str(source.resolve())), "rb")
    except OSError as error:
        message = f"cannot be read: {error.strerror or 'no regular file'}"
        hint = "an overlay is a directory or a ZIP file"
        raise invalid([Finding(code="missing_file", message=message, file=str(source), hint=hint)]) from error


def _asset_problems(bundle: Bundle, overlays: Sequence[_Overlay]) -> tuple[Finding, ...]:
    proposed, proposal = bundle.proposed, bundle.proposal
    if proposed is None or proposal is None:
        return ()
    problems = [p for index in range(len(proposal.private_assets)) if (p := _asset_problem(bundle, index, overlays))]
    if _needs_benchmark_data(bundle, proposal):
        message = "a static official manifest needs a private asset of kind private_benchmark_data"
        problems.append(Problem(code="private_asset", message=message, path=("private_assets",)))
    return place(proposed.data, problems, PROPOSAL)


def _asset_problem(bundle: Bundle, index: int, overlays: Sequence[_Overlay]) -> Problem | None:
    """An overlay called like the asset is that asset; any other may be any asset that it has the paths of."""
    assets = bundle.proposal.private_assets if bundle.proposal else ()
    asset, at = assets[index], ("private_assets", index)
    own = [overlay for overlay in overlays if overlay.name == asset.asset_name]
    for overlay in own:
        missing = sorted(set(asset.required_paths) - overlay.paths)
        if missing:
            message = f"the overlay {overlay.source.name} lacks {', '.join(missing)}"
            return Problem(
                code="private_asset", message=message, path=(*at, "required_paths"), hint="add what it lacks"
            )
    others = [overlay for overlay in overlays if overlay.name not in {asset.asset_name for asset in assets}]
    if not asset.required or own or any(overlay.has(asset) for overlay in others) or _is_in_place(bundle, asset):
        return None
    lacks = f", with {', '.join(asset.required_paths)}" if asset.required_paths else ""
    message = f"the required asset {asset.asset_name!r} is missing: give its overlay{lacks}"
    return Problem(code="private_asset", message=message, path=at, hint="--overlay DIR or --overlay ZIP")


def _is_in_place(bundle: Bundle, asset: PrivateAsset) -> bool:
    """An author may evaluate a directory in which the private data already is."""
    files, private = BundleFiles(root=bundle.root), bundle.challenge.datasets.private_benchmark_dir
    wanted = asset.required_paths or ((private,) if private else ())
    return bool(wanted) and all(files.kind(path) is not None for path in wanted)


def _needs_benchmark_data(bundle: Bundle, proposal: Proposal) -> bool:
    datasets = bundle.challenge.datasets
    private = datasets.private_benchmark_dir
    return (
        datasets.private_benchmark_enabled
        and locator(bundle.challenge.execution, "official") is not None
        and all(asset.kind != "private_benchmark_data" for asset in proposal.private_assets)
        and (private is None or BundleFiles(root=bundle.root).kind(private) is None)
    )
