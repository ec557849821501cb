"""What rules look things up in: the surroundings of a JobSpec, and the plugins and tasks that were found for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from agentics.errors import AgenticsError
from agentics.lighteval.catalogue import Catalogue, CatalogueTask
from agentics.lighteval.job import KnownTask
from agentics.lighteval.ondisk import is_folder
from agentics.lighteval.places import dataset_folder
from agentics.lighteval.plugins import Located, Search, locate
from agentics.lighteval.suites import SuiteCatalogue
from agentics.lighteval.support import LOCAL
from agentics.model.job.jobspec import ENDPOINTS, JobSpec, TaskSpec
from agentics.model.job.plugin import PluginTask

_SEARCHES = 20


@dataclass(frozen=True, kw_only=True)
class CheckSurroundings:
    """Where a JobSpec is read. Its paths are relative to `folder`; `plugins` and `data` are the operator's folders.

    `templates`: the ids of the judge templates that are here; None: they are not looked at. `environment`: the
    variables that secrets come from. `hub`: the worker may take models and data from the hub. `starting`: a missing
    secret is an error, not a warning. `in_container`: the worker is a container. `reader`: the user that it reads as;
    None: as we do. `output`: why artifacts cannot go to a place.
    """

    folder: Path
    catalogue: Catalogue
    plugins: tuple[Path, ...] = ()
    data: Path | None = None
    hub: bool = False
    suites: Callable[[], SuiteCatalogue] = SuiteCatalogue
    templates: frozenset[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    starting: bool = False
    in_container: bool = False
    reader: int | None = None
    output: Callable[[str], AgenticsError | None] = lambda _: None


@dataclass(kw_only=True)
class Review:
    """One check of one JobSpec. A rule that uses `plugins` or what follows needs `custom_plugins`."""

    around: CheckSurroundings
    search: Search | None = None
    named: dict[str, tuple[Located, PluginTask]] = field(default_factory=dict)
    tasks: dict[str, KnownTask] = field(default_factory=dict)
    searches: int = 0

    def plugins(self, spec: JobSpec) -> Search:
        """Looked for once, however many rules ask."""
        if self.search is None:
            self.search = locate(spec.custom_plugins, self.around.folder, self.around.plugins)
        return self.search

    def complete(self, spec: JobSpec) -> bool:
        """Every plugin is there, so what none of them has is nowhere."""
        return len(self.plugins(spec).found) == len(spec.custom_plugins)

    def plugin_tasks(self, spec: JobSpec) -> Iterator[tuple[Located, PluginTask]]:
        for located in self.plugins(spec).found:
            for task in located.manifest.tasks:
                yield located, task

    def own(self, spec: JobSpec) -> Mapping[str, tuple[Located, PluginTask]]:
        """The tasks of plugins by name; of two of a name, which is a conflict, the first."""
        if not self.named:
            for located, task in self.plugin_tasks(spec):
                self.named.setdefault(task.name, (located, task))
        return self.named

    def expand(self, spec: JobSpec, name: str) -> tuple[str, ...]:
        """The task of that name, those of a superset in order, or nothing."""
        own = self.own(spec)
        if name in own:
            return (name,)
        shipped = self.around.catalogue.expand(name)
        if shipped == (name,):
            return shipped
        return tuple(sorted({*shipped, *(task for task in own if task.startswith(f"{name}:"))}))

    def near(self, spec: JobSpec, name: str) -> list[str]:
        """What could have been meant. A search takes milliseconds: whoever has most names wrong has another problem."""
        self.searches += 1
        if self.searches > _SEARCHES:
            return []
        return (get_close_matches(name, self.own(spec), n=3) + self.around.catalogue.near(name))[:3]

    def entries(self, spec: JobSpec) -> Iterator[tuple[int, TaskSpec, tuple[KnownTask, ...]]]:
        """Each entry of `tasks` that is known, with what it stands for."""
        for index, entry in enumerate(spec.tasks):
            names = self.expand(spec, entry.id)
            if names:
                yield index, entry, tuple(self.task(spec, name) for name in names)

    def task(self, spec: JobSpec, name: str) -> KnownTask:
        """A task that `expand` gave. Raises KeyError for any other."""
        if name not in self.tasks:
            self.tasks[name] = self._task(spec, name)
        return self.tasks[name]

    def _task(self, spec: JobSpec, name: str) -> KnownTask:
        own = self.own(spec).get(name)
        if own is not None:
            located, task = own
            return of_plugin(located.manifest.name, task)
        found = self.around.catalogue.find(name)
        if found is None:
            raise KeyError(name)
        return of_catalogue(name, found)


def of_catalogue(name: str, task: CatalogueTask) -> KnownTask:
    return KnownTask(
        name=name,
        plugin=None,
        modules=(task.module,),
        sampling=task.sampling,
        metrics={metric.name: metric.category for metric in task.metrics},
        judges=frozenset(metric.name for metric in task.metrics if metric.judge),
        primary_metric=None,
        few_shots_split=task.few_shots_split,
        hf_avail_splits=task.hf_avail_splits,
        evaluation_splits=task.evaluation_splits,
        fewshot_pool=None,
        hf_repo=task.hf_repo,
        samples=task.samples,
    )


def of_plugin(plugin: str, task: PluginTask) -> KnownTask:
    return KnownTask(
        name=task.name,
        plugin=plugin,
        modules=(),
        sampling=task.sampling,
        metrics=dict.fromkeys(task.metrics),
        judges=frozenset(),
        primary_metric=task.primary_metric,
        few_shots_split=task.few_shots_split,
        hf_avail_splits=task.hf_avail_splits,
        evaluation_splits=task.evaluation_splits,
        fewshot_pool=task.fewshot_pool,
        hf_repo=None,
        samples=task.num_samples,
    )


def data_of(review: Review, entry: TaskSpec, task: KnownTask) -> Path | None:
    """The local folder of a task's dataset: one that the job names, or the operator's of that name."""
    said = entry.params.get("hf_repo")
    repo = said if isinstance(said, str) else task.hf_repo
    if repo is None:
        return None
    own = review.around.folder / repo
    if isinstance(said, str) and is_folder(own):
        return own.resolve()
    return dataset_folder(review.around.data, repo)


def model_from_hub(spec: JobSpec) -> bool:
    """The backend loads a checkpoint, and the job names no folder of one."""
    return spec.backend.type in LOCAL and spec.backend.model_path is None


def is_remote(review: Review, spec: JobSpec, entry: TaskSpec, task: KnownTask) -> bool:
    """The task's data are in no folder that the worker sees."""
    if data_of(review, entry, task) is not None:
        return False
    if task.plugin is None or "hf_repo" in entry.params:
        return True
    return any(t.needs_network for _, t in review.plugin_tasks(spec) if t.name == task.name)


def uses_hub(review: Review, spec: JobSpec) -> bool:
    """The worker takes the model or data from the hub, as the operator allows."""
    remote = (is_remote(review, spec, entry, task) for _, entry, tasks in review.entries(spec) for task in tasks)
    return review.around.hub and (model_from_hub(spec) or any(remote))


def online(spec: JobSpec) -> bool:
    """The worker must reach a server: the model's or the judges'."""
    return spec.backend.type in ENDPOINTS or spec.scoring_mode != "deterministic"


def either(names: list[str]) -> str | None:
    """A hint from what was near."""
    return f"did you mean {' or '.join(map(repr, names))}?" if names else None
