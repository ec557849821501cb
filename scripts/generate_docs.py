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
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from pydantic import BaseModel, TypeAdapter

from agentics import cli, config, errors
from agentics.cli.evalfile import EvalFile
from agentics.model import base, outcome, record
from agentics.policy.outcome import EXIT_CHALLENGE, EXIT_INFRASTRUCTURE, EXIT_POLICY_NOT_MET, accepts

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PART = re.compile(r"(<!-- generated: (?P<what>[^\n]*?) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)

BEYOND_USE = 1 << 15
"""A bound above this is that of the integer type, and no author meets it."""

STATUSES = {
    "passed": "the evaluator says `passed`, and every case ended well",
    "degraded": "the evaluator says `passed`, but some case ended badly or did not pass",
    "failed": "a clean no: the evaluator says `failed`, or the solution broke down before it could be judged",
    "error": "no verdict: a fault of the challenge or of the infrastructure, never a score",
    "no_samples": "nothing was evaluated: no case was asked for, or there is none",
    "skipped": "this machine cannot serve the target",
    "pending": "asked for, and not finished: interrupted, or not begun",
}
FAULTS = {
    "participant": "the solution: it crashed, ran out of a limit, or broke a rule",
    "challenge": "the bundle: its evaluator or setup crashed, or its result breaks the contract",
    "infrastructure": "the engine, an image or this machine; tried again first, and never a score",
    "user": "whoever runs the evaluation stopped it",
}
POLICIES = {
    "relaxed": "the run took place, whatever it says",
    "smoke": "every task `passed` or `degraded`",
    "strict": "every task `passed`",
}
EXIT_CODES = {
    0: "accepted by the policy",
    EXIT_POLICY_NOT_MET: "the policy is not met; or a check failed (`challenge check`, `schema check`, `run gate`)",
    errors.UsageError.exit_status: "wrong usage, document or configuration; nothing was started",
    EXIT_CHALLENGE: "a challenge fault, and the policy is not `relaxed`",
    EXIT_INFRASTRUCTURE: "an infrastructure fault, no engine, or a run directory that cannot be written",
    errors.Refused.exit_status: "refused: the run is locked by another process, or was made with another scope",
    130: "stopped by SIGINT (Ctrl-C); the outcome is written, unfinished tasks are pending",
    143: "stopped by SIGTERM, likewise",
}
COUNTS = {
    "requested_tasks": "all of them; the sum of the seven statuses",
    "completed_tasks": "what resuming does not run again: passed, degraded, skipped, no_samples",
    "non_passing_tasks": "failed, error, pending, skipped, no_samples",
    "requested_subtasks": "public cases of validations",
    "passed_subtasks": "those of them that passed",
}


def current(text: str) -> str:
    """The text with every generated part as the code has it now."""
    return PART.sub(lambda found: f"{found[1]}\n{_part(found['what'])}\n\n{found['end']}", text)


def _part(what: str) -> str:
    kind, _, name = what.partition(" ")
    return PARTS[kind](name) if name else PARTS[kind]("")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def code(values: Iterable[object]) -> str:
    return ", ".join(f"`{value}`" for value in values)


# --- Models -----------------------------------------------------------------------------------------------------------


KINDS = {"path": base.RelPath, "name": base.Token, "challenge name": base.ChallengeName, "keyword": base.Keyword}


def kinds(_: str) -> str:
    """The words for strings that the tables of fields use."""
    rows = [(word, rule) for rule, word in _kind_words().items()]
    return table(("word", "means"), [*rows, ("text", "any string that is not blank")])


def _kind_words() -> dict[str, str]:
    return {TypeAdapter(kind).json_schema()["description"]: word for word, kind in KINDS.items()}


def fields(name: str) -> str:
    """A model of the bundle contract, `MODULE.Model`: one row for each key, as the JSON Schema has it."""
    module, _, model_name = name.partition(".")
    model: type[BaseModel] = getattr(import_module(f"agentics.model.{module}"), model_name)
    schema = model.model_json_schema()
    rows = [_row(key, said, schema) for key, said in schema["properties"].items()]
    optional = any(default for *_, default in rows)
    head = ("key", "type", "rule", "if left out")
    shown = table(head, rows) if optional else table(head[:-1], [row[:-1] for row in rows])
    unknown = "an error" if model.model_config.get("extra") == "forbid" else "ignored"
    return f"{shown}\n\n{'' if optional else 'Every key is mandatory. '}A key that is not listed is {unknown}."


def _row(key: str, said: dict[str, Any], schema: dict[str, Any]) -> tuple[str, ...]:
    choices = said.get("anyOf", [said])
    described = [_kind(_resolved(choice, schema)) for choice in choices if choice.get("type") != "null"]
    kind = " or ".join(dict.fromkeys(kind for kind, _ in described))
    rule = "; ".join(dict.fromkeys(rule for _, rule in described if rule))
    nullable = len(described) < len(choices)
    default = "" if key in schema.get("required", ()) else f"`{json.dumps(said.get('default'))}`"
    return f"`{key}`", kind + " or null" * nullable, rule, default


def _resolved(said: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = said.get("$ref", "").rpartition("/")[2]
    return {**schema["$defs"][name], "title": name} if name else said


def _kind(said: dict[str, Any]) -> tuple[str, str]:
    """What a value is, and the rule it keeps."""
    if "oneOf" in said:
        names = [ref["$ref"].rpartition("/")[2] for ref in said["oneOf"]]
        return " or ".join(names), f"told apart by `{said['discriminator']['propertyName']}`"
    if "const" in said or "enum" in said:
        values = said.get("enum", [said.get("const")])
        return said["type"], code(values) if len(values) == 1 else f"one of {code(values)}"
    match said.get("type"):
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


def _item(said: dict[str, Any]) -> str:
    return said.get("$ref", "").rpartition("/")[2] or f"{_kind(said)[0]}s"


def _text(said: dict[str, Any]) -> tuple[str, str]:
    if said.get("format") == "date-time":
        return "time", "RFC 3339 with a time zone"
    if "maxLength" in said:
        return "string", f"at most {said['maxLength']} bytes"
    word = _kind_words().get(said.get("description", ""))
    return word or ("text" if "pattern" in said else "string"), ""


def _range(least: int | None, most: int | None, what: str = "") -> str:
    if most is not None and most <= BEYOND_USE:
        return f"{least or 0} to {most}{what}"
    return f"{least} or more{what}" if least else ""


# --- Commands ---------------------------------------------------------------------------------------------------------


def walk(app: typer.Typer, prefix: str = "agentics") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, groups last."""
    for command in app.registered_commands:
        yield f"{prefix} {command.name or command.callback.__name__}", command
    for group in app.registered_groups:
        yield from walk(group.typer_instance, f"{prefix} {group.name}")


def parameters(callback: Callable[..., Any]) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, annotation, typer's declaration and default of every parameter of a command."""
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        annotation, declared = get_args(hints[name])
        yield name, annotation, declared, parameter.default


def flags(callback: Callable[..., Any]) -> list[str]:
    """The options of a command as they are typed, the long form of each."""
    return [_flag(name, declared) for name, _, declared, _ in parameters(callback) if _is_option(declared)]


def _is_option(declared: object) -> bool:
    return isinstance(declared, typer.models.OptionInfo)


def _flag(name: str, declared: Any) -> str:
    return declared.param_decls[0] if declared.param_decls else f"--{name.replace('_', '-')}"


def commands(_: str) -> str:
    return "\n\n".join(_command(name, command) for name, command in walk(cli.app))


def _command(name: str, command: Any) -> str:
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


def _usage(said: Sequence[tuple[str, Any, Any, Any]]) -> str:
    words = [_argument(name, declared, default) for name, _, declared, default in said if not _is_option(declared)]
    return "".join(f" {word}" for word in words) + (" [OPTIONS]" if any(_is_option(d) for _, _, d, _ in said) else "")


def _argument(name: str, declared: Any, default: object) -> str:
    word = declared.metavar or name.upper()
    return word if default is inspect.Parameter.empty or declared.metavar else f"[{word}]"


def _parameter_row(name: str, annotation: Any, declared: Any, default: object) -> tuple[str, str]:
    if not _is_option(declared):
        return f"`{_argument(name, declared, default)}`", declared.help
    names = ", ".join(f"`{each}`" for each in declared.param_decls or (_flag(name, declared),))
    value = _value(name, annotation, declared)
    needed = " Required." if default is inspect.Parameter.empty else ""
    return f"{names}{value}", f"{declared.help}{needed}"


def _value(name: str, annotation: Any, declared: Any) -> str:
    if annotation is bool:
        return ""
    kinds = [kind for kind in (get_args(annotation) or (annotation,)) if isinstance(kind, type)]
    choice = next((kind for kind in kinds if issubclass(kind, Enum)), None)
    word = "|".join(each.value for each in choice) if choice else declared.metavar or name.rpartition("_")[2].upper()
    return f" `{word}`"


# --- Words and configuration ------------------------------------------------------------------------------------------


def statuses(_: str) -> str:
    policies = get_args(outcome.ExitPolicy)
    rows = [
        (f"`{s}`", STATUSES[s], _yes(s in outcome.COMPLETED), *(_yes(accepts(policy, s)) for policy in policies))
        for s in get_args(record.Status)
    ]
    return table(("status", "means", "completed", *(f"`{policy}` accepts" for policy in policies)), rows)


def counts(_: str) -> str:
    def meaning(key: str) -> str:
        return COUNTS.get(key) or f"tasks with status `{key.removesuffix('_tasks')}`"

    return table(("key", "counts"), [(f"`{key}`", meaning(key)) for key in outcome.Counts.model_fields])


def words(name: str) -> str:
    """A closed list of words and what each means."""
    alias, meanings = {"faults": (record.Fault, FAULTS), "policies": (outcome.ExitPolicy, POLICIES)}[name]
    return table((name.rstrip("s").replace("ie", "y"), "means"), [(f"`{w}`", meanings[w]) for w in get_args(alias)])


def exit_codes(_: str) -> str:
    return table(("code", "means"), [(f"`{number}`", meaning) for number, meaning in sorted(EXIT_CODES.items())])


def settings(name: str) -> str:
    """A table of agentics.toml or of an eval file: what it is for, and its keys."""
    model: type[BaseModel] = EvalFile if name == "EvalFile" else getattr(config, name)
    rows = [
        (f"`{key}`", f"`{_toml_type(field.annotation)}`", "required" if field.is_required() else _default(field))
        for key, field in model.model_fields.items()
    ]
    return f"{inspect.cleandoc(model.__doc__ or '')}\n\n{table(('key', 'type', 'default'), rows)}"


def _toml_type(annotation: Any) -> str:
    inner = [arg for arg in get_args(annotation) if arg not in (type(None), ...)]
    if not inner:
        return {"str": "string", "Path": "path", "int": "integer", "bool": "boolean"}.get(
            annotation.__name__, annotation.__name__
        )
    if all(isinstance(arg, str) for arg in inner):
        return " | ".join(f'"{arg}"' for arg in inner)
    kind = getattr(annotation, "__origin__", None)
    return f"list of {_toml_type(inner[0])}" if kind in (list, tuple) else _toml_type(inner[0])


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "not set"
    return f"`{list(value)}`" if isinstance(value, list | tuple) else f"`{str(value).lower()}`"


def _yes(holds: bool) -> str:  # noqa: FBT001 - one word for one truth
    return "yes" if holds else "no"


PARTS: dict[str, Callable[[str], str]] = {
    "fields": fields,
    "kinds": kinds,
    "commands": commands,
    "statuses": statuses,
    "counts": counts,
    "words": words,
    "exit-codes": exit_codes,
    "settings": settings,
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
