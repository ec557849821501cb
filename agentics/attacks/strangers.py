"""Makes run directories as another user could forge them: without an attestation, with ledgers whose chains hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentics.rundir.files import ledger

INVOCATIONS = "runtime/invocations.jsonl"
Change = Callable[[dict[str, Any]], object]
"""What a record of a ledger becomes, changed in place. A record for which it returns False is left out."""


def unattested(run: Path, copy: Path) -> Path:
    """A copy of the run at `copy` without its attestation, whose ledger says nothing of one."""
    shutil.copytree(run, copy, symlinks=True)
    (copy / "attestation.json").unlink(missing_ok=True)
    relined(copy / INVOCATIONS, lambda record: record["kind"] != "attested")
    return copy


def relined(path: Path, change: Change) -> None:
    """Change every record of a ledger, and chain it anew."""
    head, made = ledger.ORIGIN, []
    for line in ledger.whole_lines(path.read_bytes()):
        record = json.loads(ledger.bare(line))
        if change(record) is False:
            continue
        text = f'{json.dumps(record)[:-1]},"prev":"{head}"}}'
        head = ledger.digest_of_line(text.encode())
        made.append(text)
    path.write_text("".join(f"{text}\n" for text in made), encoding="utf-8")


def started(**changes: object) -> Change:
    """Changes of what the ledger says of an invocation that began."""
    return lambda record: record.update(changes) if record["kind"] == "started" else None


def renamed(field: str, name: str) -> Change:
    """One entry of a field by which an invocation names things, under another name."""

    def change(record: dict[str, Any]) -> None:
        if record["kind"] == "started" and record[field]:
            record[field] = {name: next(iter(record[field].values()))}

    return change
