"""Which fields of a resolved experiment this version carries out. What it would ignore, it refuses, with the place."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from agentics.model.document.json_text import Path, Problem, pointer
from agentics.model.document.parsing import Rule
from agentics.model.run.experiment import ResolvedExperiment

_ADAPTER_SAYS = "the adapter's own manifest says this"
_TARGET_SAYS = "the target that a bundle declares says this"
_NO_CHAINS = "every trial has a workspace of its own, so there are no chains"
_HONOURED: tuple[tuple[Path, tuple[object, ...], str], ...] = (
    (("experiment", "workload_type"), ("challenge_evaluation", "model_evaluation"), "that is what is evaluated here"),
    (("dataset", "provider"), ("bundles", "lighteval"), "tasks are bundles, or those of a JobSpec"),
    (("dataset", "schema_version"), ("1",), "there is one version of it"),
    (("dataset", "split_id"), ("validation", "official"), "the split is the mode of the evaluation"),
    (("design", "sanitization_profile"), ("hermetic",), "containers are always hermetic"),
    (("design", "policies", "task_boundary", "require_workspace_materialization"), (False,), _TARGET_SAYS),
    (("benchmark", "policy", "task_model"), ("independent",), _NO_CHAINS),
    (("benchmark", "policy", "reset_strategy"), ("per_trial",), _NO_CHAINS),
    (("benchmark", "policy", "chain_failure_policy"), (), _NO_CHAINS),
    (("benchmark", "policy", "evaluator_mode"), (), _ADAPTER_SAYS),
    (("benchmark", "policy", "scoring_lifecycle"), (), _ADAPTER_SAYS),
    (("benchmark", "adapter", "manifest"), (), "the adapter writes it into AGENTICS_ADAPTER_MANIFEST_PATH"),
    (("runtime", "agent"), (), "a variant is a solution, and its image is the bundle's"),
    (("runtime", "dependencies"), (), "a solution brings what it needs, or its target installs it"),
    (("runtime", "telemetry"), (), "events are always written to runtime/events.jsonl"),
    (("runtime", "policy", "network", "mode"), ("none",), "participants have no network"),
    (("runtime", "policy", "network", "allowed_hosts"), ((),), "participants have no network"),
    (("runtime", "policy", "sandbox", "mode"), ("container",), "everything runs in containers"),
    (("runtime", "policy", "sandbox", "image"), (), f"{_TARGET_SAYS}; [images] in agentics.toml maps it"),
    (("runtime", "policy", "sandbox", "run_as_user"), (), "participants have a user of their own"),
    (("runtime", "policy", "sandbox", "root_read_only"), (True,), "[sandbox] relax in agentics.toml can spare images"),
    (("runtime", "policy", "sandbox", "hardening", "no_new_privileges"), (True,), "hardening is not optional"),
    (("runtime", "policy", "sandbox", "hardening", "drop_all_caps"), (True,), "hardening is not optional"),
    (("runtime", "policy", "sandbox", "resources"), (), _TARGET_SAYS),
)


def _unsupported(resolved: ResolvedExperiment) -> Iterator[Problem]:
    for path, honoured, why in _HONOURED:
        value = _at(resolved, path)
        if value is not None and value not in honoured:
            message = f"{pointer(path)} {_shown(value)} is not supported"
            only = f"; supported: {', '.join(map(_shown, honoured))}" if honoured else "; leave it out"
            yield Problem(code="unsupported_field", message=message, path=path, hint=why + only)


def _comparisons(resolved: ResolvedExperiment) -> Iterator[Problem]:
    said = resolved.design.policies.comparison
    if said not in (None, resolved.design.comparison):
        message = f"design.comparison is {resolved.design.comparison!r}, and this says {said!r}"
        yield Problem(code="contradiction", message=message, path=("design", "policies", "comparison"))
    if resolved.design.comparison != "none" and not resolved.variant_plan:
        message = f"comparison {resolved.design.comparison!r} needs a second variant"
        yield Problem(code="nothing_to_compare", message=message, path=("design", "comparison"))


def _solutions(resolved: ResolvedExperiment) -> Iterator[Problem]:
    places: list[Path] = [("baseline",), *(("variant_plan", index) for index in range(len(resolved.variant_plan)))]
    for variant, place in zip((resolved.baseline, *resolved.variant_plan), places, strict=True):
        if not any(isinstance(variant.bindings.get(name), str) for name in ("solution", "jobspec")):
            message = "a variant is a solution or a model: `bindings.solution` or `bindings.jobspec` is its path"
            yield Problem(code="no_solution", message=message, path=(*place, "bindings"))


def _ids(resolved: ResolvedExperiment) -> Iterator[Problem]:
    ids = [variant.variant_id for variant in (resolved.baseline, *resolved.variant_plan)]
    for index, name in enumerate(ids):
        if name in ids[:index]:
            path = ("variant_plan", index - 1, "variant_id")
            yield Problem(code="variant_collision", message=f"two variants are called {name!r}", path=path)


def _at(value: object, path: Path) -> object:
    for part in path:
        value = getattr(value, str(part)) if isinstance(value, BaseModel) else None
    return value


def _shown(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value)
        case ():
            return "an empty list"
        case tuple():
            return repr(list(value))
        case _:
            return "here"


RULES: tuple[Rule[ResolvedExperiment], ...] = (
    Rule(needs=("experiment", "dataset", "design", "benchmark", "runtime"), check=_unsupported),
    Rule(needs=("design", "variant_plan"), check=_comparisons),
    Rule(needs=("baseline", "variant_plan"), check=_solutions),
    Rule(needs=("baseline", "variant_plan"), check=_ids),
)
