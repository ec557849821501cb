"""The tasks that a JobSpec can name, each with what a person wants to know before choosing it. Imports no LightEval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from agentics.lighteval.catalogue import Catalogue, CatalogueTask
from agentics.lighteval.fewshot import split_of_examples
from agentics.lighteval.job import KnownTask
from agentics.lighteval.ondisk import is_file
from agentics.lighteval.places import dataset_folder
from agentics.lighteval.rules.review import of_catalogue, of_plugin
from agentics.model.document.record import Record
from agentics.model.job.jobspec import ENDPOINTS, BackendType
from agentics.model.job.plugin import PluginManifest, PluginTask
from agentics.model.job.worker_protocol import Sampling


class ListedTask(Record):
    """`source`: `lighteval`, or a plugin as `name@version`. `examples_from`: the split of few-shot examples; null: the
    evaluated documents. `fewshot_pool`: the most examples, if that is known. `samples`: answers to each question.
    `generation_size`: tokens of the longest answer; null: as much as fits. `documents`: how many are evaluated; null:
    not known without the data. `needs`: what is missing here to run it offline; null: nothing. `backends`: those that
    can answer it."""

    name: str
    source: str
    about: str
    languages: tuple[str, ...]
    tags: tuple[str, ...]
    paper: str | None
    dataset: str | None
    subset: str | None
    evaluation_splits: tuple[str, ...]
    examples_from: str | None
    fewshot_pool: int | None
    sampling: tuple[Sampling, ...]
    metrics: tuple[str, ...]
    judge_metrics: tuple[str, ...]
    samples: int
    generation_size: int | None
    documents: int | None
    offline: bool
    needs: str | None
    backends: tuple[BackendType, ...]

    def says(self, word: str) -> bool:
        """Whether any of its texts has the word in it, whatever the case."""
        texts = (self.name, self.about, self.dataset or "", self.source, *self.languages, *self.tags, *self.metrics)
        return any(word.casefold() in text.casefold() for text in texts)


def listed(catalogue: Catalogue, plugins: Iterable[PluginManifest], data: Path | None) -> tuple[ListedTask, ...]:
    """LightEval's and the plugins', by name. `data`: the operator's folder of datasets."""
    found = {name: _shipped(catalogue, name, data) for name in catalogue.entries}
    for manifest in plugins:
        for task in manifest.tasks:
            found.setdefault(task.name, _plugged(manifest, task))
    return tuple(found[name] for name in sorted(found))


def grouped(tasks: Iterable[ListedTask]) -> Mapping[str, tuple[ListedTask, ...]]:
    """By the name that a JobSpec can write for all of them: `mmlu` for every `mmlu:*`. Keeps the order."""
    given = tuple(tasks)
    names = {task.name for task in given}
    groups: dict[str, tuple[ListedTask, ...]] = {}
    for task in given:
        head = task.name.partition(":")[0]
        name = task.name if head in names else head
        groups[name] = (*groups.get(name, ()), task)
    return groups


def matching(tasks: Iterable[ListedTask], words: Sequence[str]) -> tuple[ListedTask, ...]:
    """Those that say every word. Those that have one in their name come first."""
    found = [task for task in tasks if all(task.says(word) for word in words)]
    return tuple(sorted(found, key=lambda task: not any(word.casefold() in task.name.casefold() for word in words)))


def counted(task: ListedTask, data: Path | None) -> ListedTask:
    """With the number of its documents where its data are JSON Lines in the operator's folder."""
    folder = None if task.dataset is None else dataset_folder(data, task.dataset)
    if task.documents is not None or folder is None:
        return task
    files = [folder / f"{split}.jsonl" for split in task.evaluation_splits]
    if not all(map(is_file, files)):
        return task
    return task.model_copy(update={"documents": sum(map(_lines, files))})


def _shipped(catalogue: Catalogue, name: str, data: Path | None) -> ListedTask:
    entry = CatalogueTask.model_validate(catalogue.entries[name])
    known, module = of_catalogue(name, entry), catalogue.module(entry.module)
    needs = module.offline
    if needs is None and entry.hf_repo is not None and dataset_folder(data, entry.hf_repo) is None:
        needs = f"the data set {entry.hf_repo} in the folder of [lighteval] data"
    size = entry.generation_size
    return ListedTask(
        source="lighteval",
        about=module.about,
        languages=module.languages,
        tags=module.tags,
        paper=module.paper,
        subset=entry.hf_subset,
        generation_size=None if size is None or size < 1 else size,
        documents=None,
        offline=needs is None,
        needs=needs,
        **_common(known),
    )


def _plugged(manifest: PluginManifest, task: PluginTask) -> ListedTask:
    needs = "data that the plugin takes from a network" if task.needs_network else None
    return ListedTask(
        source=f"{manifest.name}@{manifest.version}",
        about=manifest.description or "",
        languages=(),
        tags=(),
        paper=None,
        subset=None,
        generation_size=task.generation_size,
        documents=task.documents,
        offline=needs is None,
        needs=needs,
        **_common(of_plugin(manifest.name, task)),
    )


def _common(known: KnownTask) -> dict[str, Any]:
    return {
        "name": known.name,
        "dataset": known.hf_repo,
        "evaluation_splits": known.evaluation_splits,
        "examples_from": split_of_examples(known, {}),
        "fewshot_pool": known.fewshot_pool,
        "sampling": known.sampling,
        "metrics": tuple(known.metrics),
        "judge_metrics": tuple(name for name in known.metrics if name in known.judges),
        "samples": known.samples,
        "backends": tuple(_backends(known)),
    }


def _backends(known: KnownTask) -> Iterator[BackendType]:
    if "perplexity" in known.sampling:
        return
    for backend in get_args(BackendType):
        if backend not in ENDPOINTS or "logprobs" not in known.sampling:
            yield backend


def _lines(file: Path) -> int:
    """Those that are not blank."""
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())
