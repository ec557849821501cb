"""Gives hostile files to commands of `agentics`: each must end in time, say what is wrong, and touch nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agentics.attacks.catalogue import INSIDE, AttackCase, Ending
from agentics.attacks.groups import CANARY
from agentics.attacks.rows import AttackRow, judged
from agentics.attacks.surroundings import Machine

SECONDS = 60
"""How long a command may take. A reader of hostile files takes a second; a busy machine is slow."""
BYTES = 3 << 30
"""Address space of a command. Python's own libraries map some hundreds of MiB."""
_SAID_BYTES = 16 << 20
_FAULTS = {4: "challenge", 5: "infrastructure", 130: "user"}
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, kw_only=True)
class CommandAnswer:
    """How a command ended. `status` is negative where a signal ended it."""

    status: int
    late: bool
    out: bytes
    err: bytes


class AttackCommands:
    """A context manager: the process that carries commands out."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._folder = folder
        self._config = config

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agentics.cli.serving"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Of the parent's surroundings only what Python needs, and a configuration of the suite's own.
            env={**os.environ, "AGENTICS_CONFIG": str(self._config), "HOME": str(self._folder), "CI": "1"},
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._process.kill()  # and with it the command that it carries out
        self._process.communicate()

    def call(self, argv: Sequence[str], folder: Path) -> CommandAnswer:
        """Carry out one command in that folder."""
        files = {"out": self._folder / "out", "err": self._folder / "err"}
        named = {name: str(path) for name, path in files.items()}
        for path in files.values():
            path.write_bytes(b"")
        wanted = {"argv": list(argv), "folder": str(folder), "seconds": SECONDS, "bytes": BYTES, **named}
        told, answers = self._process.stdin, self._process.stdout
        if told is None or answers is None:
            msg = "the process has no pipes"
            raise ValueError(msg)
        told.write(json.dumps(wanted) + "\n")
        told.flush()
        answer: dict[str, Any] = json.loads(answers.readline())
        return CommandAnswer(**answer, out=_head(files["out"]), err=_head(files["err"]))


def run_case(case: AttackCase, commands: AttackCommands, machine: Machine, root: Path, run: Path | None) -> AttackRow:
    """Make the case's files in `root`, and give them to the commands that it names. `run`: a run directory of this
    machine, for cases that alter one."""
    inside, beside = root / "inside", root / "beside"
    for folder in (inside, beside):
        folder.mkdir(parents=True)
    (beside / "secret.txt").write_text(f"{CANARY}beside\n", encoding="utf-8")
    before = _digest(beside)
    answers = [commands.call(argv, inside) for argv in _made(case, inside, run)]
    problems = [problem for answer in answers for problem in _problems(answer)]
    if _digest(beside) != before:
        problems.append("something beside its own folder was changed")
    return judged(case, machine, _ending(answers[-1]), problems)


def _made(case: AttackCase, root: Path, run: Path | None) -> list[list[str]]:
    """The commands of a case, whose `make(root, run)` writes its files and returns one command or several."""
    sys.path.insert(0, str(INSIDE))
    try:
        commands = runpy.run_path(str(case.path))["make"](root, run)
    finally:
        sys.path.remove(str(INSIDE))
    return [commands] if isinstance(commands[0], str) else commands


def _ending(answer: CommandAnswer) -> Ending:
    if answer.status == 0:
        return Ending(status="accepted")
    if answer.late or answer.status < 0:
        return Ending(status="killed", reason="too_slow" if answer.late else f"signal_{-answer.status}")
    code = _code(answer.out)
    if code in (None, "internal_error"):
        return Ending(status="broken", reason=code)
    return Ending(status="refused", reason=code, fault=_FAULTS.get(answer.status, "user"))


def _code(out: bytes) -> str | None:
    """The code of what was wrong: of the first finding, or of the error."""
    try:
        said = json.loads(out)
    except ValueError:
        return None
    error = said.get("error") or {}
    findings = (error.get("details") or {}).get("findings") or []
    findings += [finding for result in said.get("results", ()) for finding in result.get("findings", ())]
    wrong = [finding["code"] for finding in findings if finding.get("severity", "error") == "error"]
    return next(iter(wrong), error.get("code"))


def _problems(answer: CommandAnswer) -> Iterator[str]:
    if answer.late:
        yield f"it did not end within {SECONDS} s"
    if b"Traceback (most recent" in answer.err:
        yield f"a traceback: {answer.err.decode(errors='replace').strip().splitlines()[-1]}"
    for name, said in (("stdout", answer.out), ("stderr", answer.err)):
        text = said.decode(errors="replace")
        if CANARY in text:
            yield f"{name} shows what is beside its folder"
        steering = sorted({f"U+{ord(one):04X}" for one in text if one not in "\n\t" and _steers(one)})
        if steering:
            yield f"{name} holds what steers a terminal: {' '.join(steering)}"


def _steers(character: str) -> bool:
    return unicodedata.category(character) in _STEERING


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_SAID_BYTES)


def _digest(folder: Path) -> str:
    """Of names, modes and contents."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found.update(f"{path.relative_to(folder)} {status.st_mode} {status.st_size}\n".encode(errors="surrogateescape"))
        if path.is_file() and not path.is_symlink():
            found.update(path.read_bytes())
    return found.hexdigest()
