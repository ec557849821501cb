"""The experiment file that people write: tasks x variants x replications, and the rules of the run."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, FiniteFloat, JsonValue

from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import Rule
from agentics.model.document.record import Mode
from agentics.model.document.size_caps import EXPERIMENT, Cap
from agentics.model.document.strict_types import Document, List, Text
from agentics.model.run.design import Comparison, Integration, Scheduling
from agentics.model.run.experiment import AtLeastOne, EvidenceClass, OrAbsent, Prune, RetryPart
from agentics.model.run.outcome import DEFAULT_EXIT_POLICY, ExitPolicy

SOLUTION = "solution"
"""The binding that a resolved experiment keeps for the solution's path."""

JOBSPEC = "jobspec"
"""The binding that it keeps for the path of a model's JobSpec."""

_Seconds = Annotated[FiniteFloat, Field(gt=0)]


class TaskEntry(Document):
    """A bundle, on all of its targets or on one. `overlays`: private data, for official mode."""

    bundle: Text
    target: Text | None = None
    overlays: List[Text] = ()


class VariantEntry(Document):
    """A solution, under a name of its own (the folder's if not said), with what it is given."""

    name: Text | None = None
    solution: Text
    bindings: dict[str, JsonValue] = Field(default_factory=dict)
    integration: Integration = "cli_basic"


class RunLimits(Document):
    trial_s: _Seconds | None = None


class AdapterEntry(Document):
    command: Annotated[List[Text], Field(min_length=1)]
    timeout_s: _Seconds = 3600.0


class EvidencePolicy(Document):
    required_evidence_classes: List[EvidenceClass] = ()


class BenchmarkEntry(Document):
    adapter: AdapterEntry
    policy: EvidencePolicy = EvidencePolicy()


def _entry(value: object) -> object:
    return {"bundle": value} if isinstance(value, str) else value


_Task = Annotated[TaskEntry, BeforeValidator(_entry)]


class ExperimentFile(Document):
    """Paths are relative to the file. `comparison` is `paired` where it is not said and there is something to compare;
    `limit` counts cases of a task; `images` maps declared images to local ones. `jobspecs`: files of model evaluations,
    each a variant of its own on the tasks it names; with them, tasks and variants may be left out. `baseline`: a name
    of `variants`, or what a JobSpec is called in the run."""

    cap: ClassVar[Cap] = EXPERIMENT
    name: Text
    description: str | None = None
    owner: str | None = None
    tasks: List[_Task] = ()
    target: Text | None = None
    mode: Mode = "validation"
    variants: List[VariantEntry] = ()
    jobspecs: List[Text] = ()
    baseline: Text | None = None
    replications: AtLeastOne = 1
    scheduling: Scheduling = "variant_sequential"
    comparison: Comparison | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    shuffle_tasks: bool = False
    max_concurrency: AtLeastOne = 1
    retry: RetryPart = RetryPart()
    pruning: Prune | None = None
    limits: RunLimits = RunLimits()
    limit: Annotated[int, Field(ge=0)] | None = None
    jobs: AtLeastOne | None = None
    images: dict[str, Text] = Field(default_factory=dict)
    exit_policy: ExitPolicy = DEFAULT_EXIT_POLICY
    benchmark: Annotated[BenchmarkEntry | None, *OrAbsent] = None


def names(file: ExperimentFile) -> tuple[str, ...]:
    """What each variant is called: its own name, or the last part of its solution's path."""
    return tuple(variant.name or _stem(variant.solution) for variant in file.variants)


def _stem(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2].removesuffix(".zip")


def _something(file: ExperimentFile) -> Iterator[Problem]:
    if not file.jobspecs:
        for key in ("tasks", "variants"):
            if not getattr(file, key):
                message = f"an experiment needs {key}"
                hint = "tasks are bundles, variants solutions; or list model evaluations in `jobspecs`"
                code = "empty_list" if key in file.model_fields_set else "missing_key"
                yield Problem(code=code, message=message, path=(key,), hint=hint)
    elif bool(file.tasks) != bool(file.variants):
        missing = "variants" if file.tasks else "tasks"
        message = f"there are bundles or solutions, and no {missing} to go with them"
        yield Problem(code="missing_key", message=message, path=(missing,))


def _baseline(file: ExperimentFile) -> Iterator[Problem]:
    """What a JobSpec is called is known once it was read."""
    known = names(file)
    if file.baseline is not None and file.baseline not in known and known and not file.jobspecs:
        near = get_close_matches(file.baseline, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}"
        yield Problem(
            code="unknown_variant", message=f"no variant is called {file.baseline!r}", path=("baseline",), hint=hint
        )


def _twice(file: ExperimentFile) -> Iterator[Problem]:
    known = names(file)
    for index, name in enumerate(known):
        if name in known[:index]:
            hint = "give one of them another name"
            message = f"two variants are called {name!r}"
            yield Problem(code="variant_collision", message=message, path=("variants", index), hint=hint)


def _bindings(file: ExperimentFile) -> Iterator[Problem]:
    for index, variant in enumerate(file.variants):
        if SOLUTION in variant.bindings:
            path = ("variants", index, "bindings", SOLUTION)
            yield Problem(code="reserved_name", message="`solution` names the solution's own path", path=path)


def _something_to_compare(file: ExperimentFile) -> Iterator[Problem]:
    if file.comparison in ("paired", "unpaired") and len(file.variants) + len(file.jobspecs) == 1:
        message = f"comparison {file.comparison!r} needs a second variant"
        yield Problem(code="nothing_to_compare", message=message, path=("comparison",), hint="add one, or leave it out")


def _overlays(file: ExperimentFile) -> Iterator[Problem]:
    for index, task in enumerate(file.tasks):
        if task.overlays and file.mode != "official":
            message = "an overlay holds private data, and validation uses public data only"
            path = ("tasks", index, "overlays")
            yield Problem(code="overlay_in_validation", message=message, path=path, hint="add `mode: official`")


RULES: tuple[Rule[ExperimentFile], ...] = (
    Rule(needs=("tasks", "variants", "jobspecs"), check=_something),
    Rule(needs=("baseline", "variants"), check=_baseline),
    Rule(needs=("variants",), check=_twice),
    Rule(needs=("variants",), check=_bindings),
    Rule(needs=("comparison", "variants"), check=_something_to_compare),
    Rule(needs=("tasks", "mode"), check=_overlays),
)

DOCUMENTS: dict[str, type[Document]] = {"experiment": ExperimentFile}
