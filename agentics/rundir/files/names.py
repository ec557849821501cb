"""Names that become paths: run ids, variants, tasks. Pure text; nothing here touches a disk."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from agentics.errors import StorageError, UsageError

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
_LIMITED = "_LIMITED"
_LONGEST = 200

RESERVED = frozenset(
    {
        "manifest.json",
        "resolved_experiment.json",
        "resolved_experiment.digest",
        "attestation.json",
        "resolved_variants.json",
        "resolved_schedule.json",
        "runtime",
        "trials",
        "artifacts",
        "evidence",
        "benchmark",
        "benchmark_history",
        "analysis",
        "public",
        "replays",
        "forks",
        "regrades",
        "facts",
        "pipeline",
        "logs",
        "results",
        "details",
        "jobs",
    }
)
"""What lies in a run directory beside its variants."""

_VARIANT_FILES = ("run_outcome.json", "run_summary.json", "probe_report.json", "probe_summary.txt")


def run_id(given: str | None, *, now: datetime, limited: bool) -> str:
    """The id of a run: as given or from `now` (UTC) with a random end; `_LIMITED` when only some cases are run.

    Raises UsageError (invalid_run_id) for anything that could leave its directory.
    """
    name = given if given is not None else f"{now:%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"
    if limited and not name.endswith(_LIMITED):
        name += _LIMITED
    return check_run_id(name)


def check_run_id(name: str) -> str:
    if _SAFE.fullmatch(name) is None or name.startswith(".") or ".." in name:
        shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
        msg = f"invalid run id {shown!r}"
        hint = "1 to 128 of letters, digits, dot, underscore and hyphen, beginning with a letter or digit"
        raise UsageError(msg, code="invalid_run_id", hint=hint)
    return name


def part(name: str, role: str) -> str:
    """A name out of a file of a run, if it can be one part of a path. `role`: what it names.

    Raises StorageError (unsafe_name) for anything that could leave its directory or is no name of ours.
    """
    if _PART.fullmatch(name) is None or ".." in name:
        msg = f"{name[:_LONGEST]!r} is no name of a {role}"
        raise _unsafe(msg)
    return name


def variant_part(name: str) -> str:
    """As `part`, the directory of a variant: no other part of the run directory has its name."""
    if name.casefold() in RESERVED:
        msg = f"{name!r} is a part of every run directory, and no variant"
        raise _unsafe(msg)
    return part(name, "variant")


def _unsafe(message: str) -> StorageError:
    return StorageError(message, code="unsafe_name", hint="the run directory was altered, or not made by agentics")


def variant_directories(names: Iterable[str]) -> dict[str, str]:
    """Directory -> full variant name, in the order given. A name's last segment is its directory.

    Raises UsageError for a name that cannot be a directory here, or two that would share one.
    """
    chosen: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in names:
        directory = _variant_directory(name)
        # Some file systems do not tell upper from lower case.
        other = taken.setdefault(directory.casefold(), name)
        if other != name or directory in chosen:
            msg = f"variants {other!r} and {name!r} would share the directory {directory}"
            raise UsageError(msg, code="variant_collision", hint="give one of them another name: --solution NAME=PATH")
        chosen[directory] = name
    return chosen


def _variant_directory(name: str) -> str:
    directory = name.rsplit("/", 1)[-1]
    if _SAFE.fullmatch(directory) is None or ".." in directory or directory.casefold() in RESERVED:
        msg = f"invalid variant name {name[:_LONGEST]!r}"
        hint = "letters, digits, dot, underscore and hyphen; not the name of a part of the run directory"
        raise UsageError(msg, code="invalid_variant", hint=hint)
    return directory


def case_directories(names: Iterable[str]) -> dict[str, str]:
    """One directory name per case, readable where it can be; two never differ only in upper and lower case."""
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if name in chosen:
            continue
        directory, number = task_directory(name), 1
        while directory.casefold() in taken:
            number += 1
            directory = f"{task_directory(name)}~{number}"  # no name has a tilde of its own: it is escaped
        taken.add(directory.casefold())
        chosen[name] = directory
    return chosen


def task_directory(ref: str) -> str:
    """One directory name per task reference, readable where it can be; two references never share one."""
    name = quote(ref, safe="@+=,").replace("~", "%7E")
    if not name or name[0] in ".-" or name in _VARIANT_FILES:
        name = f"%{ord(name[0]):02X}{name[1:]}" if name else "%"
    if len(name) > _LONGEST:
        name = f"{name[:100]}%{hashlib.sha256(ref.encode()).hexdigest()}"
    return name
