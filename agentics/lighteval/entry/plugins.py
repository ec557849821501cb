"""Plugins: code that the job brings, imported here and nowhere else."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from agentics.lighteval.entry.emit import OrderError, names_of

_LOADED: set[Path] = set()
"""The folders of the plugins of this process: Python knows modules by their names alone."""
_STAGES = {"task": "task", "metric": "task", "model": "backend"}
_WANTED = {"task": "TASKS_TABLE", "metric": "METRICS"}


def load(plugins: Sequence[Mapping[str, Any]], kept: dict[str, Any]) -> dict[str, ModuleType]:
    """Every plugin's module, by its name; each is imported once in a session.

    Raises OrderError: plugin_not_found, plugin_import, plugin_empty, plugin_lacks.
    """
    loaded: dict[str, ModuleType] = kept.setdefault("plugins", {})
    for plugin in plugins:
        key = f"{plugin['name']}@{plugin['sha256']}"
        if key not in loaded:
            module = _module(plugin)
            _check_provided(plugin, module)
            loaded[key] = module
    return {plugin["name"]: loaded[f"{plugin['name']}@{plugin['sha256']}"] for plugin in plugins}


def tables(plugins: Sequence[Mapping[str, Any]], modules: Mapping[str, ModuleType]) -> dict[str, Any]:
    """The tasks that plugins define, by name. Raises OrderError (duplicate_task)."""
    found: dict[str, Any] = {}
    for plugin in plugins:
        if plugin["type"] != "task":
            continue
        for config in modules[plugin["name"]].TASKS_TABLE:
            if config.name in found:
                msg = f"plugin {plugin['name']} defines {config.name}, which is defined already"
                raise OrderError(msg, "task", "duplicate_task")
            found[config.name] = config
    return found


def _module(plugin: Mapping[str, Any]) -> ModuleType:
    folder = Path(plugin["path"])
    file = folder / plugin["module"]
    if not file.is_file():
        msg = f"plugin {plugin['name']}: there is no {plugin['module']} in its folder"
        raise OrderError(msg, "task", "plugin_not_found")
    name = f"agentics_plugin_{hashlib.sha256(plugin['name'].encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        msg = f"plugin {plugin['name']}: {plugin['module']} is no Python file"
        raise OrderError(msg, "task", "plugin_import")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _importable(folder):
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            msg = f"plugin {plugin['name']}: {type(error).__name__}: {error}"
            raise OrderError(msg, "task", "plugin_import") from error
    wanted = _WANTED.get(plugin["type"])
    if wanted is not None and not getattr(module, wanted, None):
        msg = f"plugin {plugin['name']}: {plugin['module']} defines no {wanted}"
        raise OrderError(msg, "task", "plugin_empty")
    return module


def _check_provided(plugin: Mapping[str, Any], module: ModuleType) -> None:
    """Jobs are checked by what a manifest lists, so the module has to have all of it."""
    match plugin["type"]:
        case "task":
            found = {c.name: {n for m in c.metrics for n in names_of(m)} for c in module.TASKS_TABLE}
        case "metric":
            found = {name: set() for name in module.METRICS}
        case _:
            found = {name: set() for name in vars(module)}
    for name, metrics in plugin.get("provides", {}).items():
        lacks = [each for each in metrics if name in found and each not in found[name]]
        if name in found and not lacks:
            continue
        what = f"the metric {lacks[0]} of {name}" if lacks else name
        have = found[name] if lacks else found if plugin["type"] != "model" else ()
        msg = f"plugin {plugin['name']}: agentics.plugin.json lists {what}, which {plugin['module']} does not have"
        hint = f"there is {', '.join(sorted(have))}" if have else None
        raise OrderError(msg, _STAGES[plugin["type"]], "plugin_lacks", hint=hint)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The plugin may import what lies beside its module, while it loads."""
    for name in [name for name, module in sys.modules.items() if _of_another(name, module, folder)]:
        del sys.modules[name]
    _LOADED.add(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _of_another(name: str, module: object, folder: Path) -> bool:
    """Whether a module came from beside another plugin, and this one has its own of that name."""
    top, file = name.partition(".")[0], getattr(module, "__file__", None)
    if not file or not (_LOADED - {folder}) & set(Path(file).parents):
        return False
    return (folder / f"{top}.py").is_file() or (folder / top).is_dir()
