"""Rules about what is asked: tasks and plugins that exist, once each, that the backend can answer, with data here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from agentics.lighteval.fewshot import evaluated_splits, split_of_examples
from agentics.lighteval.rules.params import chosen, metrics, types, without_effect
from agentics.lighteval.rules.review import Review, either, is_remote
from agentics.lighteval.support import GENERATION
from agentics.model.document.json_text import Path as Pointer
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import Rule
from agentics.model.job.jobspec import ENDPOINTS, JobSpec
from agentics.model.job.plugin import TASK_ID

_TASKS = ("tasks", "custom_plugins")


def rules(review: Review) -> tuple[Rule[JobSpec], ...]:
    return (
        Rule(needs=("custom_plugins",), check=partial(_plugins, review)),
        Rule(needs=("backend", *_TASKS), check=partial(_unused, review)),
        Rule(needs=("tasks",), check=_words),
        Rule(needs=_TASKS, check=partial(_known, review)),
        Rule(needs=_TASKS, check=partial(_once, review)),
        Rule(needs=("tasks",), check=types),
        Rule(needs=_TASKS, check=partial(metrics, review)),
        Rule(needs=("generation", *_TASKS), check=partial(without_effect, review)),
        Rule(needs=_TASKS, check=partial(_examples, review)),
        Rule(needs=("num_fewshot_seeds", "tasks"), check=_seeds),
        Rule(needs=("backend", *_TASKS), check=partial(_answerable, review)),
        Rule(needs=("backend", *_TASKS), check=partial(_data, review)),
        Rule(needs=("backend", "generation", *_TASKS), check=partial(_several, review)),
    )


def _plugins(review: Review, spec: JobSpec) -> Iterator[Problem]:
    yield from review.plugins(spec).problems
    owner: dict[str, str] = {}
    for located, task in review.plugin_tasks(spec):
        first = owner.setdefault(task.name, located.manifest.name)
        other = None if first == located.manifest.name else f"the plugin {first!r}"
        if task.name in review.around.catalogue.entries:
            other = "LightEval"
        if other is not None:
            message = f"{located.manifest.name!r} defines the task {task.name!r:.100}, and {other} defines it too"
            path: Pointer = ("custom_plugins", located.index, "name")
            yield Problem(code="task_conflict", message=message, path=path, hint="rename the plugin's task")


def _unused(review: Review, spec: JobSpec) -> Iterator[Problem]:
    used = {task.plugin for _, _, tasks in review.entries(spec) for task in tasks}
    wanted = {str(name) for entry in spec.tasks for name in _list(entry.params.get("metrics"))}
    model = spec.backend.model.plugin if spec.backend.model else None
    for located in review.plugins(spec).found:
        manifest = located.manifest
        if manifest.name not in {*used, model} and wanted.isdisjoint(manifest.metrics):
            message = f"nothing of the plugin {manifest.name!r} is used"
            hint = "name one of its tasks, metrics (params.metrics) or classes (backend.model), or leave it out"
            path: Pointer = ("custom_plugins", located.index)
            yield Problem(code="plugin_unused", message=message, path=path, hint=hint, severity="warning")


def _list(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()


def _words(spec: JobSpec) -> Iterator[Problem]:
    for index, entry in enumerate(spec.tasks):
        if TASK_ID.fullmatch(entry.id) is None:
            message = f"{entry.id!r:.100} is no task id: no spaces, '|', ',' and '@'"
            path: Pointer = ("tasks", index, "id")
            yield Problem(code="bad_task_id", message=message, path=path, hint=_rewritten(entry.id))


def _rewritten(text: str) -> str:
    """How to say what LightEval's own task strings say."""
    if "," in text:
        return "make an entry of its own for each task"
    parts = text.strip().split("|")
    numbers = [part for part in parts if part.isdecimal()]
    names = [part for part in parts if part and not part.isdecimal()]
    if len(parts) > 1 and numbers and names:
        return f'write "id": "{names[-1].partition("@")[0][:100]}", "fewshot": {numbers[0][:4]}'
    if "@" in text:
        return "what stands behind '@' has no place here: choose a task that is configured so, or write a plugin"
    return "write the name alone, as `lighteval tasks list` shows it"


def _known(review: Review, spec: JobSpec) -> Iterator[Problem]:
    if not review.complete(spec):
        return
    for index, entry in enumerate(spec.tasks):
        if TASK_ID.fullmatch(entry.id) is not None and not review.expand(spec, entry.id):
            lighteval = review.around.catalogue.lighteval
            message = f"neither LightEval {lighteval} nor a plugin has a task {entry.id!r:.100}"
            hint = either(review.near(spec, entry.id)) or "a task of your own comes with a plugin: custom_plugins"
            yield Problem(code="unknown_task", message=message, path=("tasks", index, "id"), hint=hint)


def _once(review: Review, spec: JobSpec) -> Iterator[Problem]:
    seen: set[tuple[str, int]] = set()
    for index, entry, tasks in review.entries(spec):
        asked = {(task.name, entry.fewshot) for task in tasks}
        twice = sorted(asked & seen)
        seen |= asked
        if twice:
            more = f" (and {len(twice) - 1} more)" if len(twice) > 1 else ""
            message = f"{twice[0][0]} with fewshot {entry.fewshot} is asked for before{more}"
            hint = "results are named by task and fewshot: keep one, or make two jobs"
            yield Problem(code="duplicate_task", message=message, path=("tasks", index), hint=hint)


def _examples(review: Review, spec: JobSpec) -> Iterator[Problem]:
    for index, entry, tasks in review.entries(spec):
        if not entry.fewshot:
            continue
        said = entry.params.get("few_shots_split")
        path: Pointer = ("tasks", index, "fewshot")
        for task in tasks:
            if split_of_examples(task, entry.params) is None:
                asked = ", ".join(evaluated_splits(task, entry.params))
                message = f"{task.name} would take its examples from the documents that it asks (split {asked})"
                hint = "set params.few_shots_split to a split that is not evaluated, or fewshot to 0"
                yield Problem(code="needs_fewshot_split", message=message, path=path, hint=hint, severity="warning")
                break
        small = next(
            (t for t in tasks if said is None and t.fewshot_pool is not None and t.fewshot_pool < entry.fewshot), None
        )
        if small is not None:
            message = f"{small.name} has {small.fewshot_pool} examples, fewer than {entry.fewshot}"
            yield Problem(code="fewshot_pool", message=message, path=path, hint=f"at most {small.fewshot_pool}")


def _seeds(spec: JobSpec) -> Iterator[Problem]:
    if spec.num_fewshot_seeds > 1 and not any(entry.fewshot for entry in spec.tasks):
        message = "without few-shot examples there is nothing that seeds could draw"
        hint = "leave it out, or set fewshot in tasks"
        yield Problem(code="field_unsupported", message=message, path=("num_fewshot_seeds",), hint=hint)


def _answerable(review: Review, spec: JobSpec) -> Iterator[Problem]:
    for index, entry, tasks in review.entries(spec):
        path: Pointer = ("tasks", index, "id")
        needs = {task.name: chosen(entry.params, task)[1] for task in tasks}
        rolling = next((name for name, need in needs.items() if "perplexity" in need), None)
        if rolling is not None:
            message = f"{rolling} measures perplexity, which LightEval {review.around.catalogue.lighteval} cannot"
            yield Problem(code="perplexity_unsupported", message=message, path=path)
        compared = next((name for name, need in needs.items() if "logprobs" in need), None)
        if compared is not None and spec.backend.type in ENDPOINTS:
            message = f"{compared} needs the log-probabilities of given choices, which no endpoint tells"
            hint = "use a local backend (accelerate, vllm), or a generative task"
            yield Problem(code="metric_needs_logprobs", message=message, path=path, hint=hint)


def _data(review: Review, spec: JobSpec) -> Iterator[Problem]:
    # Judges have a worker of their own: a network of theirs is none of the model's.
    if spec.backend.type in ENDPOINTS or review.around.hub:
        return
    for index, entry, tasks in review.entries(spec):
        hub = [task for task in tasks if is_remote(review, spec, entry, task)]
        if hub:
            repo = entry.params.get("hf_repo") or hub[0].hf_repo
            message = f"the data of {hub[0].name} are on the hub ({repo}), and this job's worker has no network"
            folder = review.around.data or "FOLDER"
            hint = (
                f"download them to {folder}/{repo} ([lighteval] data in agentics.toml), "
                "set params.hf_repo to a folder relative to the file, or set [lighteval] hub"
            )
            yield Problem(code="dataset_needs_network", message=message, path=("tasks", index, "id"), hint=hint)


def _several(review: Review, spec: JobSpec) -> Iterator[Problem]:
    if spec.generation.temperature or "temperature" not in GENERATION[spec.backend.type]:
        return
    for index, _, tasks in review.entries(spec):
        many = next((task for task in tasks if task.samples > 1), None)
        if many is not None:
            message = (
                f"{many.name} asks for {many.samples} answers to each question: without chance they are all the same"
            )
            hint = "set generation.temperature above 0"
            yield Problem(code="sampling_needs_temperature", message=message, path=("tasks", index, "id"), hint=hint)
