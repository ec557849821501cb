"""Run directories of a stranger. Each function makes one from an honest run, in a folder of its own, and returns its
path; `HOSTILE` says what becomes of a command on it.

Nothing here runs agentics. `<folder>/victim` is a directory beside the run that no command may read or write.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentics.attacks.strangers import INVOCATIONS, relined, renamed, started, unattested
from tests.deep_trees import deepen

SECRET = "canary-of-the-host"
STEERING = (
    "\x1b]52;c;Y2FuYXJ5\x07\x1b[2J\x9b31m\x1b]8;;http://evil.example\x1b\\here\u202e\u2066\u200b\u2028\x85"
    "[link=http://evil.example]x[/link][/oops]\rover"
)
"""OSC 52, CSI in two forms, OSC 8, overrides, a zero width, line separators, markup of rich, a carriage return."""
LEVELS = 1200


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """`words`: the command, `{run}` in the place of the path. `code` None: it is carried out."""

    make: Callable[[Path, Path], Path]
    words: tuple[str, ...]
    status: int
    code: str | None


def copied(honest: Path, folder: Path) -> Path:
    """A copy that nobody attested, and that does not say so: its ledgers and digests hold."""
    folder.mkdir()
    run = unattested(honest, folder / honest.name)
    victim = folder / "victim"
    victim.mkdir()
    (victim / "secret").write_text(SECRET)
    return run


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def challenge_name_leaves(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    relined(run / INVOCATIONS, renamed("public_challenges", "../../../victim/config"))
    return run


def variant_name_leaves(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    for field in ("variants", "requested"):
        relined(run / INVOCATIONS, renamed(field, "../victim"))
    return run


def variant_is_a_part_of_the_run(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    for field in ("variants", "requested"):
        relined(run / INVOCATIONS, renamed(field, "runtime"))
    return run


def trial_id_leaves(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    relined(run / "runtime/slot_commit_journal.jsonl", lambda record: record.update(trial_id="../../victim"))
    return run


def _linked(name: str) -> Callable[[Path, Path], Path]:
    def make(honest: Path, folder: Path) -> Path:
        run = copied(honest, folder)
        if (run / name).is_dir():
            (run / name).rename(folder / "victim" / "moved")
        (run / name).symlink_to(folder / "victim" / "moved")
        (folder / "victim" / "moved").mkdir(exist_ok=True)
        return run

    return make


def _replaced(name: str, put: Callable[[Path], object]) -> Callable[[Path, Path], Path]:
    """The first file of this pattern is something else."""

    def make(honest: Path, folder: Path) -> Path:
        run = copied(honest, folder)
        place = sorted(run.glob(name))[0]
        place.unlink()
        put(place)
        return run

    return make


def _sparse(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 43)


def _endless(place: Path) -> None:
    place.symlink_to("/dev/zero")


def blob_links_to_the_host(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    for blob in run.glob("artifacts/sha256/*/blob"):
        blob.unlink()
        blob.symlink_to(folder / "victim" / "secret")
    return run


def attempt_number_is_huge(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    (run / "trials/trial_1/attempts/999999999999999999").mkdir()
    return run


def many_replications(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    relined(run / INVOCATIONS, started(replications=10**9))
    return run


def _time_of_no_calendar(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    relined(run / INVOCATIONS, started(started_at="2026-13-45T99:99:99.000000Z"))
    return run


def variant_without_tasks(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    relined(run / INVOCATIONS, started(requested={}))
    return run


def _deep(name: str) -> Callable[[Path, Path], Path]:
    def make(honest: Path, folder: Path) -> Path:
        run = copied(honest, folder)
        deepen(run / name, LEVELS, "deep-directory")
        return run

    return make


def experiment_was_exchanged(honest: Path, folder: Path) -> Path:
    run = copied(honest, folder)
    edited(run / "resolved_experiment.json", lambda document: document.update(created_by="a stranger"))
    return run


def made_by_another_user(honest: Path, folder: Path) -> Path:
    """Everything holds, and the seal is of a key that is not here."""
    run = copied(honest, folder)
    relined(run / INVOCATIONS, started(seal=f"hmac-sha256:{'0' * 64}"))
    return run


def every_text_steers(honest: Path, folder: Path) -> Path:
    """Every text of a document that is not a name, a digest or a time ends in what steers terminals."""
    run = copied(honest, folder)
    for path in sorted(run.rglob("*.json*")):
        if path.suffix == ".jsonl" and b'"prev":' in path.read_bytes():
            relined(path, _steered)
        elif path.suffix == ".json":
            edited(path, _steered)
    return run


_FREE = frozenset({"reason", "message", "exit_reason", "error_type", "detail", "text", "host", "cwd", "traceback"})


def _steered(value: Any) -> None:
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(each, dict | list):
            _steered(each)
        elif isinstance(each, str) and (key in _FREE or isinstance(key, int)):
            value[key] = f"{each}{STEERING}"


SHOW, REBUILD, CONTINUE = ("run", "show", "{run}"), ("run", "rebuild", "{run}"), ("run", "continue", "{run}")


def _case(make: Callable[[Path, Path], Path], words: tuple[str, ...], status: int, code: str | None) -> Hostile:
    return Hostile(make=make, words=words, status=status, code=code)


HOSTILE: dict[str, Hostile] = {
    "challenge name": _case(challenge_name_leaves, REBUILD, 5, "unsafe_name"),
    "variant name": _case(variant_name_leaves, REBUILD, 5, "unsafe_name"),
    "variant named runtime": _case(variant_is_a_part_of_the_run, REBUILD, 5, "unsafe_name"),
    "trial id": _case(trial_id_leaves, REBUILD, 5, "unsafe_name"),
    **{f"link {name}": _case(_linked(name), REBUILD, 5, "unsafe_file") for name in (
        "public", "analysis", "runtime", "trials", "trials/trial_1/cases", "mine", "evidence", "damaged"
    )},
    **{f"link {name}, recover": _case(_linked(name), ("run", "recover", "{run}"), 5, "unsafe_file") for name in (
        "public", "trials"
    )},
    "pipe for a ledger": _case(_replaced(INVOCATIONS, os.mkfifo), SHOW, 5, "unsafe_file"),
    "pipe for a result": _case(
        _replaced("trials/*/attempts/1/result.json", os.mkfifo), ("run", "verify", "{run}"), 1, "altered"
    ),
    "endless manifest": _case(_replaced("manifest.json", _endless), SHOW, 5, "unsafe_file"),
    "sparse manifest": _case(_replaced("manifest.json", _sparse), SHOW, 5, "unsafe_file"),
    "sparse ledger": _case(_replaced(INVOCATIONS, _sparse), SHOW, 5, "unsafe_file"),
    "sparse blob": _case(_replaced("artifacts/sha256/*/blob", _sparse), ("run", "verify", "{run}"), 5, "unsafe_file"),
    "blob of the host": _case(blob_links_to_the_host, SHOW, 5, "unsafe_file"),
    "huge attempt": _case(attempt_number_is_huge, SHOW, 0, None),
    "many replications": _case(many_replications, SHOW, 5, "unsafe_file"),
    "no such day": _case(_time_of_no_calendar, SHOW, 5, "damaged_file"),
    "variant without tasks": _case(variant_without_tasks, SHOW, 2, "no_tasks"),
    "deep tree": _case(_deep("trials/trial_1/cases"), SHOW, 5, "unsafe_file"),
    "deep tree, rebuild": _case(_deep("trials/trial_9"), REBUILD, 5, "unsafe_file"),
    "deep tree, recover": _case(_deep("trials/trial_9"), ("run", "recover", "{run}"), 5, "unsafe_file"),
    "deep benchmark": _case(_deep("benchmark"), SHOW, 0, None),
    "exchanged experiment": _case(experiment_was_exchanged, CONTINUE, 7, None),
    "made elsewhere": _case(made_by_another_user, CONTINUE, 7, "run_untrusted"),
    "steering texts": _case(every_text_steers, SHOW, 0, None),
}  # fmt: skip
