"""Rules about what answers: which fields, options and settings the backend can use, and whether its model is here."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import partial
from typing import Any

from agentics.lighteval.ondisk import is_file, is_folder
from agentics.lighteval.optioncheck import fault
from agentics.lighteval.rules.review import Review, either, model_from_hub
from agentics.lighteval.support import CHOICES, FIELDS, GENERATION, LOCAL, RESERVED, WITHHELD
from agentics.model.document.json_text import Problem
from agentics.model.document.parsing import Rule
from agentics.model.job.jobspec import Backend, JobSpec

_DOWNLOADED = "download it, and set model_path to its folder; or set [lighteval] hub in agentics.toml"


def rules(review: Review) -> tuple[Rule[JobSpec], ...]:
    return (
        Rule(needs=("backend",), check=_fields),
        Rule(needs=("backend",), check=_required),
        Rule(needs=("backend",), check=_name),
        Rule(needs=("backend",), check=partial(_checkpoint, review)),
        Rule(needs=("backend",), check=partial(_options, review)),
        Rule(needs=("backend", "generation"), check=_generation),
        Rule(needs=("backend", "custom_plugins"), check=partial(_custom, review)),
    )


def _said(model: Any, name: str) -> bool:  # noqa: ANN401 - any part of a JobSpec
    return name in model.model_fields_set and getattr(model, name) not in (None, (), {})


def _fields(spec: JobSpec) -> Iterator[Problem]:
    backend = spec.backend
    usable = FIELDS[backend.type]
    for name in Backend.model_fields:
        if name not in {"type", "model_name", *usable} and _said(backend, name):
            message = f"backend {backend.type!r} can make no use of {name}"
            hint = "leave it out" if name != "model_path" else "model_name is what the server calls the model"
            yield Problem(code="field_unsupported", message=message, path=("backend", name), hint=hint)
    if backend.revision is not None and backend.model_path is not None and "revision" in usable:
        message = "a folder has no revision: its content is what it is"
        hint = "leave it out, or leave out model_path"
        yield Problem(code="field_unsupported", message=message, path=("backend", "revision"), hint=hint)


def _required(spec: JobSpec) -> Iterator[Problem]:
    backend = spec.backend
    needs = {"custom": "model", "endpoint_inference_providers": "provider"}.get(backend.type)
    if needs is not None and getattr(backend, needs) is None:
        message = f"backend {backend.type!r} needs {needs}"
        hint = (
            'such as {"plugin": "my-model", "class_name": "MyModel"}' if needs == "model" else 'such as "hf-inference"'
        )
        yield Problem(code="missing_key", message=message, path=("backend", needs), hint=hint)


def _name(spec: JobSpec) -> Iterator[Problem]:
    name = spec.backend.model_name
    if name.startswith(("/", "~", "./")) or "\\" in name or ".." in name.split("/"):
        message = "model_name is what the model is called in results, and no path"
        hint = "write a name such as organisation/model, and the folder as model_path"
        yield Problem(code="model_name_is_path", message=message, path=("backend", "model_name"), hint=hint)


def _checkpoint(review: Review, spec: JobSpec) -> Iterator[Problem]:
    backend = spec.backend
    if "model_path" not in FIELDS[backend.type]:
        return
    if backend.model_path is not None:
        root = review.around.folder / backend.model_path
        lacks = "there is no folder" if not is_folder(root) else None
        if lacks is None and backend.type in LOCAL and not is_file(root / "config.json"):
            lacks = "there is no config.json in"
        if lacks is not None:
            hint = "a checkpoint folder, as save_pretrained writes it; the path is relative to the file"
            path = ("backend", "model_path")
            yield Problem(code="model_missing", message=f"{lacks} {root}", path=path, hint=hint)
    elif model_from_hub(spec) and not review.around.hub:
        message = f"{backend.model_name!r:.100} would come from the hub, and a worker with a local model has no network"
        here = is_folder(review.around.folder / backend.model_name)
        hint = f"set model_path to {backend.model_name!r}" if here else _DOWNLOADED
        yield Problem(code="model_needs_network", message=message, path=("backend", "model_name"), hint=hint)


def _options(review: Review, spec: JobSpec) -> Iterator[Problem]:
    kind = spec.backend.type
    if kind == "custom":
        return  # they are the model class's own
    schema = review.around.catalogue.options.get(kind, {})
    known: dict[str, Any] = schema.get("properties", {})
    open_to_say = [name for name in known if name not in RESERVED and _withheld(kind, name) is None]
    for name, value in spec.backend.options.items():
        code, message, hint = _option(kind, known, name, value) or ("", "", None)
        if code == "unknown_option":
            near = get_close_matches(name, open_to_say, n=1)
            hint = either(near) or (f"there is {', '.join(sorted(open_to_say))}" if open_to_say else None)
        if code:
            yield Problem(code=code, message=message, path=("backend", "options", name), hint=hint)


def _withheld(kind: str, name: str) -> str | None:
    return WITHHELD.get((kind, name)) or WITHHELD.get(("*", name))


def _option(kind: str, known: dict[str, Any], name: str, value: object) -> tuple[str, str, str | None] | None:
    """Code, message and hint of what is wrong with one option."""
    reason = _withheld(kind, name)
    if reason is not None:
        return "option_unsupported", f"{name} cannot be set", reason
    if name in RESERVED:
        return "option_reserved", f"{name} has a place of its own", f"say it in {RESERVED[name]}"
    if name not in known:
        return "unknown_option", f"backend {kind!r} has no option {name!r:.100}", None
    choices = CHOICES.get((kind, name))
    schema = known[name] if choices is None else {"type": "string", "enum": list(choices)}
    found = fault(schema, value)
    return None if found is None else (found[0], f"{name} {found[1]}", known[name].get("description"))


def _generation(spec: JobSpec) -> Iterator[Problem]:
    kind = spec.backend.type
    usable = GENERATION[kind]
    for name in type(spec.generation).model_fields:
        if name not in usable and _said(spec.generation, name):
            message = f"backend {kind!r} cannot apply {name}: answers would be as if it were not there"
            hint = f"leave it out; this backend applies {', '.join(sorted(usable))}"
            yield Problem(code="generation_unsupported", message=message, path=("generation", name), hint=hint)


def _custom(review: Review, spec: JobSpec) -> Iterator[Problem]:
    model = spec.backend.model
    if spec.backend.type != "custom" or model is None:
        return
    path = ("backend", "model", "plugin")
    if model.plugin not in {plugin.name for plugin in spec.custom_plugins}:
        message = f"custom_plugins has no {model.plugin!r}"
        hint = either(get_close_matches(model.plugin, [p.name for p in spec.custom_plugins], n=1)) or "list it there"
        yield Problem(code="plugin_not_found", message=message, path=path, hint=hint)
    found = next((p.manifest for p in review.plugins(spec).found if p.manifest.name == model.plugin), None)
    if found is None:
        return
    if found.type != "model":
        message = f"{model.plugin!r} is a plugin of type {found.type!r}, not 'model'"
        yield Problem(code="plugin_type_mismatch", message=message, path=path)
    elif model.class_name not in found.classes:
        message = f"{model.plugin!r} has no class {model.class_name!r}"
        hint = either(get_close_matches(model.class_name, found.classes, n=1)) or f"there is {', '.join(found.classes)}"
        yield Problem(code="unknown_class", message=message, path=("backend", "model", "class_name"), hint=hint)
