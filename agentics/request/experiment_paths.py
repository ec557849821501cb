"""The paths that an experiment file names, each with its place in the file."""

from __future__ import annotations

from collections.abc import Iterator

from agentics.model.document.json_text import Path as Place
from agentics.model.run.experiment import ResolvedExperiment, Variant
from agentics.model.run.experiment_file import JOBSPEC, SOLUTION, ExperimentFile

Named = tuple[Place, str]


def paths_in(file: ExperimentFile | ResolvedExperiment) -> Iterator[Named]:
    """Every path in the file: its place, and the text. Words of a command are paths where they begin with a dot."""
    return _plain(file) if isinstance(file, ExperimentFile) else _resolved(file)


def _plain(file: ExperimentFile) -> Iterator[Named]:
    for index, task in enumerate(file.tasks):
        yield ("tasks", index, "bundle"), task.bundle
        for position, overlay in enumerate(task.overlays):
            yield ("tasks", index, "overlays", position), overlay
    yield from ((("variants", index, "solution"), variant.solution) for index, variant in enumerate(file.variants))
    yield from ((("jobspecs", index), path) for index, path in enumerate(file.jobspecs))
    yield from _words(file.benchmark.adapter.command if file.benchmark is not None else ())


def _resolved(file: ResolvedExperiment) -> Iterator[Named]:
    yield ("dataset", "path"), file.dataset.path
    yield from ((("ext", "bundles", index), path) for index, path in enumerate(file.ext.bundles))
    yield from _bound(("baseline",), file.baseline)
    for index, variant in enumerate(file.variant_plan):
        yield from _bound(("variant_plan", index), variant)
    yield from _words(file.benchmark.adapter.command if file.benchmark is not None else ())
    said = file.ext.request
    if said is not None:
        asked: Place = ("ext", "request")
        yield from (((*asked, "bundles", index), path) for index, path in enumerate(said.bundles))
        yield from (((*asked, "jobspecs", index, "path"), one.path) for index, one in enumerate(said.jobspecs))
        yield from (((*asked, "overlays", index, "path"), one.path) for index, one in enumerate(said.overlays))


def _bound(place: Place, variant: Variant) -> Iterator[Named]:
    bound = ((name, variant.bindings.get(name)) for name in (SOLUTION, JOBSPEC))
    yield from (((*place, "bindings", name), path) for name, path in bound if isinstance(path, str))


def _words(command: tuple[str, ...]) -> Iterator[Named]:
    found = ((index, word) for index, word in enumerate(command) if word.startswith(("./", "../")))
    yield from ((("benchmark", "adapter", "command", index), word) for index, word in found)
