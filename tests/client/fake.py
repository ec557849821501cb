"""A program in place of `agentics`: it says what a test wants it to, and writes down how it was called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

COMMON = {"schema_version": "runner_event_v1", "ts": "2026-01-01T00:00:00.000000Z", "run_id": "r", "run_dir": "/r"}
EVENTS = [
    {**COMMON, "seq": 1, "event": "run_started"},
    {**COMMON, "seq": 2, "event": "trial_started", "trial_id": "trial_1", "variant_id": "v", "task_id": "t"}
    | {"repl_idx": 0, "attempt": 1},
    {**COMMON, "seq": 3, "event": "trial_finished", "trial_id": "trial_1", "status": "completed", "attempt": 1}
    | {"outcome": "success", "duration_ms": 5, "trial_dir": "/r/trials/trial_1"},
    {**COMMON, "seq": 4, "event": "run_finished", "status": "completed"},
]
ENVELOPE = {"ok": True, "command": "eval", "run": {"run_id": "r", "run_dir": "/r"}, "exit_code": 0, "outcomes": {}}
ERROR = {"code": "run_locked", "message": "held", "hint": "wait", "details": {"exit_status": 7}}


def program(folder: Path, body: str) -> str:
    """A program whose body may use `say` (a value as a line of JSON), and `EVENTS`, `ENVELOPE` and `ERROR`."""
    path = folder / "agentics"
    values = f"EVENTS, ENVELOPE, ERROR = json.loads({json.dumps([EVENTS, ENVELOPE, ERROR])!r})"
    said = "def say(value): print(json.dumps(value), flush=True)"
    called = "open('called', 'a').write(json.dumps(sys.argv[1:]) + '\\n')"
    head = f"#!{sys.executable}\nimport json, os, signal, sys, time\n{values}\n{said}\n{called}\n"
    path.write_text(head + body, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def calls(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "called").read_text(encoding="utf-8").splitlines()]
