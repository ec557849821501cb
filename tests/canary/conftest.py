"""Runs the command line as people do, in a process of its own, with nobody's configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    exit_status: int
    out: bytes
    err: bytes


@dataclass(frozen=True)
class Terminal:
    """Where commands are typed. `home` keeps the configuration and the caches of whoever runs the tests out."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTICS_", "XDG_"))}
        return {**own, "XDG_CONFIG_HOME": str(self.home), "COLUMNS": "80"}

    def command(self, *words: object) -> list[str]:
        return [sys.executable, "-m", "agentics", *map(str, words)]

    def type(self, *words: object) -> Said:
        done = subprocess.run(
            self.command(*words), cwd=self.home, env=self.environment, capture_output=True, timeout=240, check=False
        )
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def terminal(tmp_path_factory) -> Terminal:
    home, scratch = tmp_path_factory.mktemp("terminal"), tmp_path_factory.mktemp("scratch")
    (home / "agentics.toml").write_text(f'[sandbox]\nscratch = "{scratch}"\n', encoding="utf-8")
    return Terminal(home)
