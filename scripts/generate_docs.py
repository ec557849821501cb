#!/usr/bin/env python3
"""Writes the parts of README.md and docs/ that code decides: fields, commands, options, statuses, exit codes, keys.

Such a part stands between `<!-- generated: WHAT -->` and `<!-- end -->`; everything else in the files is written by
hand. `scripts/generate_docs.py` writes, `scripts/generate_docs.py --check` only tells which files are not current.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import typer
from docs_tables import attacks, backends, caps, code, images, slips, table, tools, yes
from pydantic import BaseModel, TypeAdapter
from typer.models import CommandInfo, OptionInfo, ParameterInfo

from agentics import cli, config, errors
from agentics.cli.evalfile import EvalFile
from agentics.control.signals import SIGNALS
from agentics.model.document import record, strict_types
from agentics.model.run import outcome
from agentics.policy.outcome.run_outcome import (
    EXIT_CHALLENGE,
    EXIT_CONTROLLED,
    EXIT_INFRASTRUCTURE,
    EXIT_POLICY_NOT_MET,
    accepts,
)

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (ROOT / "README.md", ROOT / "attacks" / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PART = re.compile(r"(<!-- generated: (?P<what>[^\n]*?) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)

BEYOND_USE = 1 << 15
"""A bound above this is that of the integer type, and no author meets it."""

MEANINGS = tomllib.loads((ROOT / "docs" / "words.toml").read_text(encoding="utf-8"))
WORDS: dict[str, Callable[[], Iterable[object]]] = {
    "statuses": lambda: get_args(record.Status),
    "faults": lambda: get_args(record.Fault),
    "trust": lambda: get_args(record.Trust),
    "policies": lambda: get_args(outcome.ExitPolicy),
    "counts": lambda: outcome.Counts.model_fields,
    "exit_codes": lambda: sorted(exit_codes()),
}
"""Every list of words that docs explain, as the code has it."""


def current(text: str) -> str:
    """The text with every generated part as the code has it now."""
    return PART.sub(lambda found: f"{found[1]}\n{_part(found['what'])}\n\n{found['end']}", text)


def _part(what: str) -> str:
    kind, _, name = what.partition(" ")
    return PARTS[kind](name) if name else PARTS[kind]("")


# --- Models -----------------------------------------------------------------------------------------------------------


TOML_TYPES = {"str": "string", "Path": "string", "int": "integer", "float": "number", "bool": "boolean"}
_TEXT_PATTERN = TypeAdapter(strict_types.Text).json_schema()["pattern"]
KINDS = {
    "path": strict_types.RelPath,
    "name": strict_types.Token,
    "challenge name": strict_types.ChallengeName,
    "keyword": strict_types.Keyword,
}


def kinds(_: str) -> str:
    """The words for strings that the tables of fields use."""
    rows = [(word, rule) for rule, word in _kind_words().items()]
    return table(("word", "means"), [*rows, ("text", "any string that is not blank")])


def _kind_words() -> dict[str, str]:
    return {TypeAdapter(kind).json_schema()["description"]: word for word, kind in KINDS.items()}


def fields(name: str) -> str:
    """A model, `PACKAGE.MODULE.Model`: one row for each key of its JSON Schema, with its meaning from words.toml.

    Raises ValueError when words.toml explains other keys than the model has.
    """
    module, _, model_name = name.rpartition(".")
    model: type[BaseModel] = getattr(import_module(f"agentics.model.{module}"), model_name)
    schema = model.model_json_schema()
    rows = [_row(key, said, schema, model) for key, said in schema["properties"].items()]
    optional = any(default for *_, default in rows)
    shown = [("key", "type", "rule", "if left out"), *rows]
    shown = shown if optional else [row[:-1] for row in shown]
    if name in MEANINGS:
        meanings = ["meaning", *(meaning for _, meaning in _explained(name, model.model_fields))]
        shown = [(*row, meaning) for row, meaning in zip(shown, meanings, strict=True)]
    unknown = "an error" if model.model_config.get("extra") == "forbid" else "ignored"
    mandatory = "" if optional else "Every key is mandatory. "
    return f"{table(shown[0], shown[1:])}\n\n{mandatory}A key that is not listed is {unknown}."


def _row(key: str, said: dict[str, Any], schema: dict[str, Any], model: type[BaseModel]) -> tuple[str, ...]:
    choices = said.get("anyOf", [said])
    described = [_kind(_resolved(choice, schema)) for choice in choices if choice.get("type") != "null"]
    kind = " or ".join(dict.fromkeys(kind for kind, _ in described))
    rule = "; ".join(dict.fromkeys(rule for _, rule in described if rule))
    nullable = len(described) < len(choices)
    default = "" if key in schema.get("required", ()) else f"`{json.dumps(_default_of(model, key))}`"
    return f"`{key}`", kind + " or null" * nullable, rule, default


def _default_of(model: type[BaseModel], key: str) -> object:
    """As it could be written: what says nothing is left out."""
    value = model.model_fields[key].get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return {name: each for name, each in value.model_dump().items() if each not in (None, ())}
    return value


def _resolved(said: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = said.get("$ref", "").rpartition("/")[2]
    return {**schema["$defs"][name], "title": name} if name else said


def _kind(said: dict[str, Any]) -> tuple[str, str]:  # noqa: PLR0911 - a kind of value each
    """What a value is, and the rule it keeps."""
    if "oneOf" in said:
        names = [ref["$ref"].rpartition("/")[2] for ref in said["oneOf"]]
        return " or ".join(names), f"told apart by `{said['discriminator']['propertyName']}`"
    if "const" in said or "enum" in said:
        values = said.get("enum", [said.get("const")])
        return said["type"], code(values) if len(values) == 1 else f"one of {code(values)}"
    match said.get("type"):
        case "array" if "prefixItems" in said:
            return f"{len(said['prefixItems'])} {_plural(_kind(said['prefixItems'][0])[0])}", ""
        case "number":
            return "number", _bounds(said)
        case "array":
            return f"list of {_item(said['items'])}", _range(said.get("minItems"), said.get("maxItems"), " entries")
        case "integer":
            return "integer", _range(said.get("minimum"), said.get("maximum"))
        case "string":
            return _text(said)
        case "object":
            return said["title"] if "properties" in said else "object", ""
        case None:
            return "any JSON", ""
        case other:
            return str(other), ""


def _bounds(said: dict[str, Any]) -> str:
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
    }
    return ", ".join(f"{word} {said[key]:g}" for key, word in words.items() if key in said)


def _item(said: dict[str, Any]) -> str:
    return said.get("$ref", "").rpartition("/")[2] or _plural(_kind(said)[0])


def _text(said: dict[str, Any]) -> tuple[str, str]:
    if said.get("format") == "date-time":
        return "time", "RFC 3339 with a time zone"
    if "maxLength" in said:
        return "string", f"at most {said['maxLength']} bytes"
    word = _kind_words().get(said.get("description", ""))
    if word or said.get("pattern") == _TEXT_PATTERN:
        return word or "text", ""
    return ("text", f"matches `{said['pattern']}`") if "pattern" in said else ("string", "")


def _range(least: int | None, most: int | None, what: str = "") -> str:
    if most is not None and most <= BEYOND_USE:
        return f"{least or 0} to {most}{what}"
    return "" if least is None else f"{least} or more{what}"


# --- Commands ---------------------------------------------------------------------------------------------------------


Parameter = tuple[str, Any, ParameterInfo, object]
"""Name, annotation, what typer was told, and default of a parameter of a command."""


def walk(app: typer.Typer, prefix: str = "agentics") -> Iterator[tuple[str, CommandInfo]]:
    """Every command with its full name, groups last."""
    for command in app.registered_commands:
        yield f"{prefix} {command.name or command.callback.__name__}", command
    for group in app.registered_groups:
        yield from walk(group.typer_instance, f"{prefix} {group.name}")


def parameters(callback: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        annotation, declared = get_args(hints[name])
        yield name, annotation, declared, parameter.default


def flags(callback: Callable[..., Any]) -> list[str]:
    """The options of a command as they are typed, the long form of each."""
    return [_names(name, declared)[0] for name, _, declared, _ in parameters(callback) if _is_option(declared)]


def _is_option(declared: object) -> bool:
    return isinstance(declared, OptionInfo)


def _names(name: str, declared: ParameterInfo) -> list[str]:
    """`--long` and `-s`. typer takes the first name that was declared for a default."""
    said = [word for word in (declared.default, *declared.param_decls) if isinstance(word, str) and word[:1] == "-"]
    return said or [f"--{name.replace('_', '-')}"]


def commands(_: str) -> str:
    return "\n\n".join(_command(name, command) for name, command in walk(cli.command_tree()))


def _command(name: str, command: CommandInfo) -> str:
    said = list(parameters(command.callback))
    rows = [_parameter_row(*each) for each in said]
    parts = [f"### `{name}`", inspect.cleandoc(command.callback.__doc__ or "")]
    parts += [f"```\n{name}{_usage(said)}\n```"]
    parts += [table(("argument or option", "meaning"), rows)] if rows else []
    found = examples(command.epilog or "")
    parts += ["```console\n" + "\n".join(f"$ {line}" for line in found) + "\n```"] if found else []
    return "\n\n".join(parts)


def examples(epilog: str) -> list[str]:
    return [line.strip() for line in epilog.splitlines() if line.strip().startswith("agentics ")]


def _usage(said: Sequence[Parameter]) -> str:
    words = [_argument(name, declared, default) for name, _, declared, default in said if not _is_option(declared)]
    return "".join(f" {word}" for word in words) + (" [OPTIONS]" if any(_is_option(d) for _, _, d, _ in said) else "")


def _argument(name: str, declared: ParameterInfo, default: object) -> str:
    word = declared.metavar or name.upper()
    return word if default is inspect.Parameter.empty or declared.metavar else f"[{word}]"


def _parameter_row(name: str, annotation: object, declared: ParameterInfo, default: object) -> tuple[str, str]:
    if not _is_option(declared):
        return f"`{_argument(name, declared, default)}`", declared.help
    names = code(_names(name, declared))
    value = _value(name, annotation, declared)
    needed = " Required." if default is inspect.Parameter.empty else ""
    return f"{names}{value}", f"{declared.help}{needed}"


def _value(name: str, annotation: object, declared: ParameterInfo) -> str:
    if annotation is bool:
        return ""
    kinds = [kind for kind in (get_args(annotation) or (annotation,)) if isinstance(kind, type)]
    choice = next((kind for kind in kinds if issubclass(kind, Enum)), None)
    word = "|".join(each.value for each in choice) if choice else declared.metavar or name.rpartition("_")[2].upper()
    return f" `{word}`"


# --- Words and configuration ------------------------------------------------------------------------------------------


def exit_codes() -> set[int]:
    """Every status that the process can end with, but for bugs."""
    families = [errors.UsageError, errors.Refused, errors.EngineError, errors.StorageError]
    signals = {128 + number for number in SIGNALS}
    own = {EXIT_POLICY_NOT_MET, EXIT_CHALLENGE, EXIT_INFRASTRUCTURE, EXIT_CONTROLLED}
    return {0, *own, *(f.exit_status for f in families), *signals}


def words(name: str) -> str:
    """A closed list of words, and what each means."""
    return table((name.replace("_", " "), "means"), [(f"`{word}`", meaning) for word, meaning in explained(name)])


def explained(name: str) -> list[tuple[object, str]]:
    """Raises ValueError when code and words.toml know different words."""
    return _explained(name, WORDS[name]())


def _explained(name: str, known: Iterable[object]) -> list[tuple[object, str]]:
    known = list(known)
    if {str(word) for word in known} != set(MEANINGS[name]):
        msg = f"[{name}] in docs/words.toml and the code differ: {sorted(map(str, known))}"
        raise ValueError(msg)
    return [(word, MEANINGS[name][str(word)]) for word in known]


def statuses(_: str) -> str:
    policies = get_args(outcome.ExitPolicy)
    rows = [
        (
            f"`{s}`",
            meaning,
            *(yes(known) for known in (s in outcome.COMPLETED, *(accepts(p, str(s)) for p in policies))),
        )
        for s, meaning in explained("statuses")
    ]
    return table(("status", "means", "completed", *(f"`{policy}`" for policy in policies)), rows)


def settings(name: str) -> str:
    """One table of agentics.toml, or an eval file: its keys."""
    model: type[BaseModel] = EvalFile if name == "EvalFile" else getattr(config, name)
    rows = [
        (f"`{key}`", _toml_type(model.model_fields[str(key)].annotation), _default(model, str(key)), meaning)
        for key, meaning in _explained(name, model.model_fields)
    ]
    return table(("key", "type", "default", "meaning"), rows)


def _toml_type(annotation: object) -> str:
    inner = [arg for arg in get_args(annotation) if arg not in (type(None), ...)]
    if not inner:
        return TOML_TYPES.get(annotation.__name__, "table")
    if all(isinstance(arg, str) for arg in inner):
        return code(f'"{arg}"' for arg in inner)
    kind = get_origin(annotation)
    if kind is dict:
        return "table"
    return f"list of {_plural(_toml_type(inner[0]))}" if kind in (list, tuple) else _toml_type(inner[0])


def _plural(word: str) -> str:
    return f"{word}s" if word.isalpha() else word


def _default(model: type[BaseModel], key: str) -> str:
    field = model.model_fields[key]
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "not set"
    if isinstance(value, BaseModel):
        return "as below"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


PARTS: dict[str, Callable[[str], str]] = {
    "slips": slips,
    "fields": fields,
    "kinds": kinds,
    "caps": caps,
    "commands": commands,
    "statuses": statuses,
    "words": words,
    "settings": settings,
    "attacks": attacks,
    "backends": backends,
    "images": images,
    "tools": tools,
}


def main(arguments: Sequence[str]) -> int:
    check = "--check" in arguments
    stale = [path for path in DOCUMENTS if current(path.read_text(encoding="utf-8")) != path.read_text("utf-8")]
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(current(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
