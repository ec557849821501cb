"""An experiment file, in any of its forms, to the request that it makes. Reads the file and the bundles' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from agentics.archive.documents import read_document
from agentics.bundle import load_challenge
from agentics.bundle.files import SPEC, BundleFiles, directories_with
from agentics.bundle.load import PROPOSAL
from agentics.config import Config
from agentics.errors import ConfigError, Refused, UsageError
from agentics.model.document.formats import format_of, read, value_of
from agentics.model.document.json_text import pointer
from agentics.model.run.design import AdapterCommand, Comparison, Design, Pruning, RetryPolicy
from agentics.model.run.experiment import ResolvedExperiment
from agentics.model.run.experiment_file import JOBSPEC, RULES, SOLUTION, ExperimentFile, TaskEntry, names
from agentics.paths import checked
from agentics.policy.run.experiments import RULES as RESOLVED_RULES
from agentics.request.campaign import Campaign, EvalRequest, compile_request
from agentics.request.experiment_paths import paths_in
from agentics.request.resolved_experiment import adapter_of, bindings_of, design_of, differences, request_from, resolve


@dataclass(frozen=True, kw_only=True)
class AskedExperiment:
    """What a file asks for. `most`: at most so many tasks. `resolved`: what the request must resolve to, if the file
    says so."""

    request: EvalRequest
    most: int | None = None
    resolved: ResolvedExperiment | None = None


def parse_experiment(path: Path) -> ExperimentFile | ResolvedExperiment:
    """The file as it was written. Raises InvalidDocument with all findings, ConfigError where there is no such file,
    UsageError (bad_path) for a path in it that none can be."""
    kind = format_of(path.name)
    if kind is None:
        msg = f"{path}: which format is this?"
        raise ConfigError(msg, hint="an experiment file is called *.yaml, *.toml or *.json")
    try:
        data = read_document(path, ExperimentFile)
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise ConfigError(msg) from error
    value = value_of(data, kind, str(path), ExperimentFile.cap)
    found: ExperimentFile | ResolvedExperiment
    if isinstance(value, dict) and "version" in value:
        found = read(ResolvedExperiment, data, kind, str(path), RESOLVED_RULES)
    else:
        found = read(ExperimentFile, data, kind, str(path), RULES)
    for place, named in paths_in(found):
        checked(path.parent / named, f"{path}: {pointer(place)}")
    return found


def asked_for(found: ExperimentFile | ResolvedExperiment, folder: Path) -> AskedExperiment:
    """What a file in this folder asks for. Raises UsageError and InvalidDocument for bundles that cannot be read."""
    if isinstance(found, ExperimentFile):
        return AskedExperiment(request=request_of(found, folder))
    if found.ext.request is not None:
        return AskedExperiment(request=request_from(found), most=found.dataset.limit, resolved=found)
    if found.ext.tasks or found.ext.solutions:
        msg = "/ext/tasks and /ext/solutions without /ext/request"
        raise UsageError(msg, code="unsupported_field", hint="they hold digests of a run; leave them out")
    return AskedExperiment(request=_plain(found, folder), most=found.dataset.limit)


def solutions_of(found: ExperimentFile | ResolvedExperiment, folder: Path) -> dict[str, Path]:
    """The solution of each variant."""
    if isinstance(found, ExperimentFile):
        return {name: folder / one.solution for name, one in zip(names(found), found.variants, strict=True)}
    return {one.variant_id: folder / str(one.bindings[SOLUTION]) for one in found.variants if SOLUTION in one.bindings}


def compiled(asked: AskedExperiment, config: Config) -> Campaign:
    """Raises UsageError and InvalidDocument; Refused where what a resolved experiment names has changed since."""
    campaign = compile_request(asked.request, config)
    tasks = list(dict.fromkeys(trial.ref for trial in campaign.trials))
    if asked.most is not None and asked.most < len(tasks):
        campaign = compile_request(replace(asked.request, tasks=tuple(tasks[: asked.most])), config)
    if asked.resolved is not None:
        _unchanged(asked.resolved, resolve(campaign))
    return campaign


def request_of(file: ExperimentFile, folder: Path) -> EvalRequest:
    """The request of a file in this folder. Raises UsageError for bundles that cannot be read."""
    named = dict(zip(names(file), file.variants, strict=True))
    bundles, refs, overlays = _tasks(file.tasks, folder)
    return EvalRequest(
        bundles=bundles,
        jobspecs=tuple(folder / path for path in file.jobspecs),
        solutions=tuple((name, folder / variant.solution) for name, variant in named.items()),
        overlays=overlays,
        target=file.target,
        mode=file.mode,
        tasks=refs,
        limit=file.limit,
        exit_policy=file.exit_policy,
        images=tuple(file.images.items()),
        jobs=file.jobs,
        design=_design(file),
        baseline=file.baseline,
        bindings={name: variant.bindings for name, variant in named.items() if variant.bindings},
        integration={name: v.integration for name, v in named.items() if v.integration != "cli_basic"},
        adapter=_adapter(file, folder),
        trial_timeout_s=file.limits.trial_s,
        experiment=_described(file),
    )


def _tasks(
    entries: Sequence[TaskEntry], folder: Path
) -> tuple[tuple[Path, ...], tuple[str, ...], tuple[tuple[str | None, Path], ...]]:
    """Bundles, each once; task references where an entry picks a target; overlays by challenge."""
    bundles = dict.fromkeys(folder / entry.bundle for entry in entries)
    called = {path: load_challenge(path).challenge.challenge_name for path in bundles}
    refs: tuple[str, ...] = ()
    if any(entry.target for entry in entries):
        refs = tuple(
            f"{called[folder / entry.bundle]}{f'.{entry.target}' if entry.target else ''}" for entry in entries
        )
    overlays = dict.fromkeys(
        (called[folder / entry.bundle], folder / overlay) for entry in entries for overlay in entry.overlays
    )
    return tuple(bundles), refs, tuple(overlays)


def _design(file: ExperimentFile) -> Design:
    fallback: Comparison = "paired" if len(file.variants) + len(file.jobspecs) > 1 else "none"
    return Design(
        scheduling=file.scheduling,
        comparison=file.comparison or fallback,
        replications=file.replications,
        random_seed=file.seed,
        shuffle_tasks=file.shuffle_tasks,
        max_concurrency=file.max_concurrency,
        retry=RetryPolicy.model_validate(file.retry.model_dump()),
        pruning=Pruning.model_validate(file.pruning.model_dump()) if file.pruning else None,
    )


def _adapter(file: ExperimentFile, folder: Path) -> AdapterCommand | None:
    if file.benchmark is None:
        return None
    adapter, policy = file.benchmark.adapter, file.benchmark.policy
    said = AdapterCommand(
        command=adapter.command, timeout_s=adapter.timeout_s, required_evidence=policy.required_evidence_classes
    )
    return _placed(said, folder)


def _placed(adapter: AdapterCommand | None, folder: Path) -> AdapterCommand | None:
    if adapter is None:
        return None
    return adapter.model_copy(update={"command": tuple(_word(word, folder) for word in adapter.command)})


def _word(word: str, folder: Path) -> str:
    """A word of a command that begins with ./ or ../ is a path, so it is relative to the file; others are words."""
    return str((folder / word).resolve()) if word.startswith(("./", "../")) else word


def _described(file: ExperimentFile) -> dict[str, JsonValue]:
    said = {"name": file.name, "description": file.description, "owner": file.owner}
    return {key: value for key, value in said.items() if value is not None}


def _plain(found: ResolvedExperiment, folder: Path) -> EvalRequest:
    """The request of a resolved form that somebody wrote: tasks from the data set, paths relative to the file."""
    timeout_ms = found.runtime.policy.timeout_ms
    more: dict[str, Any] = {"mode": found.dataset.split_id}
    return EvalRequest(
        bundles=_bundles(found, folder) if any(SOLUTION in v.bindings for v in found.variants) else (),
        jobspecs=tuple(folder / str(v.bindings[JOBSPEC]) for v in found.variants if JOBSPEC in v.bindings),
        solutions=tuple(
            (v.variant_id, folder / str(v.bindings[SOLUTION])) for v in found.variants if SOLUTION in v.bindings
        ),
        limit=found.ext.cases,
        design=design_of(found),
        baseline=found.baseline.variant_id,
        bindings=bindings_of(found),
        adapter=_placed(adapter_of(found), folder),
        trial_timeout_s=timeout_ms / 1000 if timeout_ms else None,
        experiment=found.experiment.model_dump(exclude_none=True),
        **more,
    )


def _bundles(found: ResolvedExperiment, folder: Path) -> tuple[Path, ...]:
    root = folder / found.dataset.path
    if found.ext.bundles:
        return tuple(root / name for name in found.ext.bundles)
    if _is_bundle(root):
        return (root,)
    inside = directories_with(root, SPEC, PROPOSAL)
    if not inside:
        msg = f"{root}: no bundle is here (/dataset/path)"
        raise UsageError(msg, code="no_bundle", hint="a bundle has a spec.json; or list paths in /ext/bundles")
    return tuple(inside)


def _is_bundle(place: Path) -> bool:
    """A bundle, or a proposal: what `load_challenge` can be tried on."""
    files = BundleFiles(root=place)
    return files.kind(SPEC) is not None or files.kind(PROPOSAL) is not None


def _unchanged(wanted: ResolvedExperiment, now: ResolvedExperiment) -> None:
    different = differences(wanted, now)
    if different:
        listed = ", ".join(different[:5])
        msg = f"the experiment would not be the one that was resolved: it differs in {listed}"
        hint = "to run what is there now, remove /ext from the file and list the bundles in /ext/bundles"
        raise Refused(msg, code="experiment_changed", hint=hint)
