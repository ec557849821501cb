"""A JobSpec from tasks and a model, as a person would write it. Reads nothing but where folders are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from agentics.errors import UsageError
from agentics.lighteval.ondisk import is_folder
from agentics.lighteval.tasklist import ListedTask
from agentics.model.job.plugin import PluginManifest

DUMMY = "dummy"


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What answers. `model`: `dummy`, the folder of a checkpoint, a class of a plugin, or, with a `base_url` or a
    `provider`, the name that a server knows the model by."""

    model: str
    base_url: str | None = None
    provider: str | None = None
    api_key_env: str | None = None


def new_spec(
    tasks: Mapping[tuple[str, int], Sequence[ListedTask]],
    answering: Answering,
    plugins: Mapping[Path, PluginManifest],
    folder: Path,
    max_samples: int | None = None,
) -> dict[str, JsonValue]:
    """The document. `tasks`: by name and number of examples, with what each stands for. `plugins`: by their folders.
    `folder`: where the file will be. Raises UsageError (unknown_model, key_without_server)."""
    backend = _backend(answering, plugins, folder)
    model = backend.get("model")
    needed = {task.source for found in tasks.values() for task in found}
    if isinstance(model, dict):
        needed |= {f"{each.name}@{each.version}" for each in plugins.values() if each.name == model["plugin"]}
    limit: dict[str, JsonValue] = {} if max_samples is None else {"max_samples": max_samples}
    listed: list[JsonValue] = list(_plugins(sorted(needed - {"lighteval"}), plugins, folder))
    own: dict[str, JsonValue] = {"custom_plugins": listed} if listed else {}
    return {
        "jobspec_version": "1",
        **limit,
        "backend": backend,
        "tasks": [{"id": name, "fewshot": shots} if shots else {"id": name} for name, shots in tasks],
        **own,
        "artifacts": {"output_dir": "outputs/artifacts", "save_details": True},
    }


def task_of(text: str) -> tuple[str, int]:
    """`NAME` or, as runs call a task, `NAME|EXAMPLES`. Raises UsageError (bad_task_id)."""
    name, bar, shots = text.partition("|")
    if bar and not (shots.isascii() and shots.isdigit() and len(shots) < 5):  # noqa: PLR2004 - thousands of examples
        msg = f"{text!r:.100} is neither NAME nor NAME|EXAMPLES"
        raise UsageError(msg, code="bad_task_id", hint="such as gsm8k or 'gsm8k|5'")
    return name, int(shots or 0)


def _backend(answering: Answering, plugins: Mapping[Path, PluginManifest], folder: Path) -> dict[str, JsonValue]:
    model, server = answering.model, answering.base_url or answering.provider
    if server is None and answering.api_key_env is not None:
        msg = "only a server is asked with a key"
        raise UsageError(msg, code="key_without_server", hint="name it with --base-url or --provider")
    if server is not None and model == DUMMY:
        msg = "the name that the server knows its model by is missing"
        raise UsageError(msg, code="unknown_model", hint="give it with --model")
    if server is not None:
        said = {name: getattr(answering, name) for name in ("provider", "base_url", "api_key_env")}
        own: dict[str, JsonValue] = {name: value for name, value in said.items() if value}
        return {"type": "endpoint_litellm", "model_name": model, **own}
    if model == DUMMY:
        return {"type": "dummy", "model_name": DUMMY}
    for manifest in plugins.values():
        if model in manifest.classes:
            return {"type": "custom", "model_name": model, "model": {"plugin": manifest.name, "class_name": model}}
    if is_folder(Path(model)):
        name = Path(model).resolve().name or "model"
        return {"type": "accelerate", "model_name": name, "model_path": _path(Path(model), folder)}
    msg = f"{model!r:.100} is no folder, and no class of a plugin that is given"
    hint = "a checkpoint's folder, `dummy`, a class of a --plugin, or a server's model with --base-url or --provider"
    raise UsageError(msg, code="unknown_model", hint=hint)


def _plugins(sources: Sequence[str], plugins: Mapping[Path, PluginManifest], folder: Path) -> Iterator[JsonValue]:
    places = {f"{manifest.name}@{manifest.version}": root for root, manifest in plugins.items()}
    for source in sources:
        name, _, version = source.rpartition("@")
        place: dict[str, JsonValue] = {"path": _path(places[source], folder)} if source in places else {}
        yield {"name": name, "version": version, **place}


def _path(path: Path, folder: Path) -> str:
    """Relative to the file where both are below the current folder, so that they can be moved together."""
    here = Path.cwd()
    if path.resolve().is_relative_to(here) and folder.resolve().is_relative_to(here):
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    return str(path.resolve())
