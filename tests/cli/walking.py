"""Every command of the command line, and every value that one is given, with the words of a call."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Annotated, get_args, get_origin, get_type_hints

import typer

from agentics.cli import command_tree
from agentics.cli.arguments import NamedFileReader, NamedPathReader, NameReader, PathReader

PATHS = (PathReader, NamedPathReader, NamedFileReader)


@dataclass(frozen=True)
class Word:
    """A value that a command is given: `said` is what typer was told of it."""

    command: tuple[str, ...]
    name: str
    kind: object
    said: typer.models.ParameterInfo
    default: object

    @property
    def is_option(self):
        return isinstance(self.said, typer.models.OptionInfo)

    @property
    def flag(self):
        words = (self.said.default, *(self.said.param_decls or ()))
        return next((w for w in words if isinstance(w, str) and w[:2] == "--"), f"--{self.name.replace('_', '-')}")

    @property
    def is_needed(self):
        return self.default is Parameter.empty

    def with_value(self, value):
        return [f"{self.flag}={value}"] if self.is_option else [value]


def commands(app, prefix=()):
    """Every command with its function, those of groups included."""
    for command in app.registered_commands:
        yield (*prefix, command.name), command.callback
    for group in app.registered_groups:
        own = (*prefix, group.name)
        bare = group.typer_instance.registered_callback
        if bare is not None and bare.callback is not None:
            yield own, bare.callback
        yield from commands(group.typer_instance, own)


def words(command, function):
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in signature(function).parameters.items():
        if get_origin(hints[name]) is Annotated:
            kind, said = get_args(hints[name])
            yield Word(command, name, kind, said, parameter.default)


COMMANDS = list(commands(command_tree()))
WORDS = [word for command, function in COMMANDS for word in words(command, function)]
PATH_WORDS = [word for word in WORDS if isinstance(word.said.parser, PATHS)]
NAME_WORDS = [word for word in WORDS if isinstance(word.said.parser, NameReader)]


def shown(word):
    return f"{' '.join(word.command)} {word.flag if word.is_option else word.name}"


def call(word, value):
    """The command with this value, and with something for everything else that it needs."""
    others = [w for w in WORDS if w.command == word.command and w != word and w.is_needed]
    given = {w: w.with_value("3" if w.kind is int else "absent") for w in others}
    given[word] = word.with_value(value)
    ordered = [w for w in WORDS if w in given]
    options = [text for w in ordered if w.is_option for text in given[w]]
    return [*word.command, *options, "--", *(text for w in ordered if not w.is_option for text in given[w])]


def as_json(words):
    """`--json` in front of the arguments, in main's own sense: a program is listening."""
    at = words.index("--")
    return [*words[:at], "--json", *words[at:]]
