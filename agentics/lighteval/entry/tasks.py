"""A task as LightEval has it, with what the job changes of it, its data, and its documents for every seed."""

from __future__ import annotations

import copy
import hashlib
import importlib
import inspect
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from agentics.lighteval.entry import hub
from agentics.lighteval.entry import plugins as plugin_loader
from agentics.lighteval.entry.emit import OrderError, metric_name, plain
from agentics.lighteval.entry.hiding import first

_TEXTS = frozenset({"few_shots_split", "few_shots_select", "hf_repo", "hf_subset", "hf_revision"})
_LISTS = frozenset({"stop_sequence", "evaluation_splits"})
_NUMBERS = frozenset({"generation_size", "version"})
_SAMPLING = {"GENERATIVE": "generative", "LOGPROBS": "logprobs", "PERPLEXITY": "perplexity"}


@dataclass(kw_only=True)
class Task:
    """`config` is LightEval's, changed as the job says; `dataset` its data, `data_commit` their commit on the hub;
    `prompt_sha256` of the prompt's source."""

    config: Any
    dataset: Any
    data_commit: str | None
    prompt_sha256: str
    warnings: list[str]

    @property
    def name(self) -> str:
        return f"{self.config.name}|{self.config.num_fewshots}"

    @property
    def sampling(self) -> list[str]:
        return sorted({_SAMPLING[metric.category.name] for metric in self.config.metrics})


def load(order: Mapping[str, Any], modules: Mapping[str, ModuleType]) -> Task:
    """The task of an order, with its data. Raises OrderError."""
    wanted, table = order["task"], plugin_loader.tables(order["plugins"], modules)
    for name in wanted["modules"]:
        table.update({config.name: config for config in importlib.import_module(name).TASKS_TABLE})
    if wanted["id"] not in table:
        msg = f"no plugin defines the task {wanted['id']!r}"
        raise OrderError(msg, "task", "unknown_task", hint=f"there is {', '.join(sorted(table))}" if table else None)
    config = _configured(table[wanted["id"]], order, modules)
    if any(metric.category.name == "PERPLEXITY" for metric in config.metrics):
        msg = f"{config.name} measures perplexity, which LightEval 0.13 cannot do"
        raise OrderError(msg, "task", "perplexity_unsupported")
    if order["score"] and (judged := [metric.metric_name for metric in config.metrics if _asks_a_judge(metric)]):
        msg = f"{config.name} has metrics that ask a judge: {', '.join(map(str, judged))}"
        raise OrderError(msg, "task", "scoring_conflict", hint="judges belong into scoring_config")
    dataset = _dataset(config)
    return Task(
        config=config,
        dataset=dataset,
        data_commit=hub.data_commit(config.name, config.hf_repo, config.hf_revision, dataset),
        prompt_sha256=_prompt_source(config.prompt_function),
        warnings=[],
    )


def documents(task: Task, seed: int, max_samples: int | None) -> list[Any]:
    """The documents for one few-shot seed, in LightEval's order. Seed 0 is what LightEval does by itself.

    Raises OrderError: prompt_failed, no_documents, gold_out_of_range, fewshot_pool.
    """
    import numpy  # noqa: PLC0415 - the worker's, and heavy
    from lighteval.tasks.lighteval_task import LightevalTask  # noqa: PLC0415 - as above

    random.seed(1234)
    numpy.random.seed(1234)
    made = LightevalTask(task.config)
    made.dataset = task.dataset
    made.formatter = _guarded(made.formatter, task.config.name)
    _check_splits(made, task)
    made._docs = _with_unique_ids(made)  # noqa: SLF001 - LightEval counts from 0 in every split
    _check_golds(made._docs, task.config.name)  # noqa: SLF001
    _check_pool(made, task)
    if seed:
        made.fewshot_sampler.sample_fewshot_examples = _seeded(made.fewshot_sampler, seed)
    try:
        docs: list[Any] = made.get_docs(max_samples)
    except ValueError as error:
        raise OrderError(str(error), "dataset", "no_documents") from error
    _check_examples(docs, task)
    return docs


def described(task: Task, documents: int, requests: int) -> dict[str, Any]:
    """The facts of a `task` event."""
    config = {
        name: plain(value)
        for name, value in vars(task.config).items()
        if name not in ("metrics", "prompt_function", "original_num_docs", "effective_num_docs")
    }
    config["prompt_function"] = plain(task.config.prompt_function)
    config["metrics"] = [_metric_config(metric) for metric in task.config.metrics]
    return {
        "documents": documents,
        "requests": requests,
        "sampling": task.sampling,
        "config": config,
        "config_sha256": _sha256(json.dumps(config, sort_keys=True)),
        "prompt_sha256": task.prompt_sha256,
        "data_sha256": _data(task),
        "data_commit": task.data_commit,
        "metrics": dict(_metrics(task.config.metrics)),
        "warnings": task.warnings,
    }


def _configured(found: Any, order: Mapping[str, Any], modules: Mapping[str, ModuleType]) -> Any:  # noqa: ANN401
    wanted, generation = order["task"], order["generation"]
    config = copy.deepcopy(found)
    config.num_fewshots = wanted["fewshot"]
    config.full_name = f"{config.name}|{config.num_fewshots}"
    for name, value in wanted["params"].items():
        _set(config, name, value, modules)
    if "hf_revision" in wanted["params"] and Path(config.hf_repo).is_dir():
        msg = f"{config.name}: its data are a folder, which has no revision"
        raise OrderError(msg, "mapping", "field_unsupported", field="/tasks", hint="leave out params.hf_revision")
    # The only place that limits tokens on every backend: LightEval's own parameter cuts prompts on some.
    if generation.get("max_new_tokens"):
        config.generation_size = generation["max_new_tokens"]
    config.stop_sequence = [*(config.stop_sequence or ()), *generation.get("stop", ())]
    return config


def _set(config: Any, name: str, value: Any, modules: Mapping[str, ModuleType]) -> None:  # noqa: ANN401
    right = (
        (name in _TEXTS and (value is None or isinstance(value, str)))
        or (name in _LISTS and isinstance(value, list) and all(isinstance(item, str) for item in value))
        or (name in _NUMBERS and isinstance(value, int) and not isinstance(value, bool))
    )
    if name == "metrics" and isinstance(value, list):
        config.metrics = tuple(_metric(item, config.metrics, modules) for item in value)
    elif right:
        setattr(config, name, tuple(value) if name == "evaluation_splits" else value)
    else:
        msg = f"{config.name}: {name} cannot be {value!r}"
        raise OrderError(msg, "mapping", "unknown_task_param")


def _metric(name: Any, own: Sequence[Any], modules: Mapping[str, ModuleType]) -> Any:  # noqa: ANN401 - LightEval's
    """A metric of the task's own by its name, or of a plugin."""
    plugged = {each: metric for module in modules.values() for each, metric in getattr(module, "METRICS", {}).items()}
    mine = {each: metric for metric in own for each, _ in _metrics([metric])}
    known = {**plugged, **mine}
    if name not in known:
        msg = f"{name!r} is a metric of neither the task nor a plugin"
        raise OrderError(msg, "task", "unknown_metric", hint=f"there is {', '.join(known)}")
    return known[name]


def _dataset(config: Any) -> Any:  # noqa: ANN401 - a DatasetDict
    from lighteval.tasks.lighteval_task import LightevalTask  # noqa: PLC0415 - the worker's, and heavy

    try:
        return LightevalTask.download_dataset_worker(LightevalTask(config))
    except Exception as error:
        broken = _broken_line(config.hf_repo)
        if broken is not None:
            msg = first(f"{config.name}: {broken}", 1000)
            raise OrderError(msg, "dataset", "dataset_failed", hint="mend that line") from None
        raise hub.why_not(
            f"{config.name}: {hub.repository(config.hf_repo, config.hf_revision)}", error
        ) or _why_no_data(config, error) from error


def _broken_line(repo: str) -> str | None:
    """`file:line: why` for the first line in the folder's JSONL files that is not a JSON object."""
    for file in sorted(Path(repo).rglob("*.jsonl")) if Path(repo).is_dir() else ():
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    row = json.loads(line) if line.strip() else {}
                except ValueError as error:
                    return f"{file}:{number}: {error}"
                if not isinstance(row, dict):
                    return f"{file}:{number}: a row is a JSON object, and this is a {type(row).__name__}"
    return None


def _why_no_data(config: Any, error: Exception) -> OrderError:  # noqa: ANN401
    said = first(f"{config.name}: {config.hf_repo}: {type(error).__name__}: {error}", 1000)
    text = str(error)
    if isinstance(error, ConnectionError) or "Offline" in text or "offline" in text:
        hint = "workers have no network: point params.hf_repo to a folder, or [lighteval] data in agentics.toml"
        return OrderError(said, "dataset", "dataset_offline", hint=hint)
    if "BuilderConfig" in text:
        return OrderError(said, "dataset", "dataset_subset", hint="params.hf_subset names another one")
    if isinstance(error, FileNotFoundError):
        hint = "a folder of files such as train.jsonl and test.jsonl"
        return OrderError(said, "dataset", "dataset_missing", hint=hint)
    if isinstance(error, ValueError) and "few_shots_select" in text:
        return OrderError(text, "mapping", "bad_choice")
    return OrderError(said, "dataset", "dataset_failed")


def _check_splits(made: Any, task: Task) -> None:  # noqa: ANN401 - LightEval's
    have = list(task.dataset)
    wanted = [*made.evaluation_split, *([made.fewshot_split] if made.fewshot_split and _shots(task) else [])]
    missing = [split for split in wanted if split not in have]
    if missing:
        msg = f"{task.config.name}: its data has no split {missing[0]!r}"
        raise OrderError(msg, "dataset", "dataset_split", hint=f"it has {', '.join(have)}")
    same = made.fewshot_split is None or made.fewshot_split in made.evaluation_split
    note = "few-shot examples are taken from the evaluation data: there is no other split for them"
    if _shots(task) and same and note not in task.warnings:
        task.warnings.append(note)


def _with_unique_ids(made: Any) -> list[Any]:  # noqa: ANN401 - LightEval's
    docs: list[Any] = []
    several = len(made.evaluation_split) > 1
    for split in made.evaluation_split:
        for doc in made._get_docs_from_split([split]):  # noqa: SLF001 - as LightEval does, split by split
            if several:
                doc.id = f"{split}:{doc.id}"
            docs.append(doc)
    return made.remove_duplicate_docs(docs) if made.must_remove_duplicate_docs else docs


def _check_golds(docs: Sequence[Any], name: str) -> None:
    for doc in docs:
        golds = doc.gold_index if isinstance(doc.gold_index, list | tuple) else [doc.gold_index]
        wrong = [gold for gold in golds if isinstance(gold, int) and doc.choices and not 0 <= gold < len(doc.choices)]
        if wrong:
            msg = f"{name}: document {doc.id} has {len(doc.choices)} choices and gold index {wrong[0]}"
            raise OrderError(msg, "dataset", "gold_out_of_range")


def _check_pool(made: Any, task: Task) -> None:  # noqa: ANN401 - LightEval's
    asked = _shots(task)
    if not asked:
        return
    way = made.fewshot_sampler.few_shots_select.value
    one_more = way.with_sampling and not way.fewshotpool_unique  # drawn in case one is the document itself
    have = len(made.fewshot_docs()) - one_more
    if have < asked:
        split = made.fewshot_split or ", ".join(made.evaluation_split)
        msg = f"{task.config.name}: {asked} few-shot examples asked, the split {split} has {have}"
        msg += " beside the one that is drawn in addition" if one_more else ""
        raise OrderError(msg, "dataset", "fewshot_pool", hint=f"at most {have}")


def _check_examples(docs: Sequence[Any], task: Task) -> None:
    """LightEval 0.13 cuts a choice short in silence: `balanced` stops at an example without a reference answer."""
    short = next((doc for doc in docs if len(doc.fewshot_samples) != _shots(task)), None)
    if short is not None:
        count = f"{len(short.fewshot_samples)} of {_shots(task)} few-shot examples"
        msg = f"{task.config.name}: LightEval chose {count} for document {short.id}"
        hint = "choose examples in another way: params.few_shots_select"
        raise OrderError(msg, "dataset", "fewshot_pool", hint=hint)


def _shots(task: Task) -> int:
    shots: int = task.config.num_fewshots
    return shots


def _guarded(formatter: Any, name: str) -> Any:  # noqa: ANN401 - a prompt function
    def guarded(item: Any, task_name: Any) -> Any:  # noqa: ANN401
        try:
            return formatter(item, task_name)
        except Exception as error:
            msg = f"{name}: the prompt function failed at row {item.get('__index')}: {type(error).__name__}: {error}"
            raise OrderError(msg, "task", "prompt_failed") from error

    return guarded


def _seeded(sampler: Any, seed: int) -> Any:  # noqa: ANN401 - LightEval's
    """Few-shot examples under another seed: of the pool's order, and of what is drawn for each document."""
    original = sampler.sample_fewshot_examples

    def sample(num: int, _: int, sampler: Any = None, formatted_doc: Any = None) -> Any:  # noqa: ANN401, ARG001
        drawn = random.Random(f"{seed}/{formatted_doc.id}")  # noqa: S311 - not for secrets
        return original(num, seed, sampler=drawn, formatted_doc=formatted_doc)

    return sample


def _metrics(metrics: Sequence[Any]) -> Any:  # noqa: ANN401 - pairs of name and facts
    for metric in metrics:
        names = metric.metric_name if isinstance(metric.metric_name, list) else [metric.metric_name]
        for name in names:
            higher, corpus = metric.higher_is_better, metric.corpus_level_fn
            if isinstance(higher, Mapping):
                higher = higher.get(name)
            if isinstance(corpus, Mapping):
                corpus = corpus.get(name)
            word = getattr(corpus, "__name__", None) or type(corpus).__name__
            yield metric_name(name), {"higher_is_better": bool(higher), "aggregation": word}


def _metric_config(metric: Any) -> dict[str, Any]:  # noqa: ANN401 - LightEval's
    """As LightEval's results have it: of several that are computed together, `metric_name` is a list."""
    names = metric.metric_name
    return {
        "metric_name": [metric_name(name) for name in names] if isinstance(names, list) else metric_name(names),
        "category": metric.category.name,
        "higher_is_better": plain(metric.higher_is_better),
        "sample_level_fn": plain(metric.sample_level_fn),
        "corpus_level_fn": plain(metric.corpus_level_fn),
        "batched_compute": metric.batched_compute,
    }


def _asks_a_judge(metric: Any) -> bool:  # noqa: ANN401 - LightEval's
    return hasattr(metric.sample_level_fn, "judge")


def _prompt_source(function: Any) -> str:  # noqa: ANN401 - a callable
    while hasattr(function, "func"):
        function = function.func
    try:
        return _sha256(inspect.getsource(inspect.getmodule(function) or function))
    except (OSError, TypeError):
        return _sha256(repr(getattr(function, "__code__", function)))


def _data(task: Task) -> str:
    from lighteval.tasks.lighteval_task import LightevalTask  # noqa: PLC0415 - the worker's, and heavy

    digest = hashlib.sha256()
    splits = [*task.config.evaluation_splits]
    # Where a task names no split for its examples LightEval looks for one.
    shots_from = LightevalTask(task.config).fewshot_split
    if task.config.num_fewshots and shots_from not in (None, *splits):
        splits.append(shots_from)
    for split in splits:
        digest.update(f"{split}\n".encode())
        for row in task.dataset[split]:
            digest.update(json.dumps(row, sort_keys=True, default=_bytes_of).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"


def _bytes_of(value: Any) -> str:  # noqa: ANN401 - an image, a date
    data = value.tobytes() if hasattr(value, "tobytes") else str(value).encode()
    return hashlib.sha256(data).hexdigest()


def _sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
