"""Where a run was started: facts about the working tree, from git itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

from agentics.model.run.outcome import GitFacts, NoGit

_PATIENCE_S = 5.0


def git_facts(directory: Path) -> GitFacts | NoGit:
    """Repository root, commit (null before the first one) and whether anything differs from it, untracked files too.

    Anything that keeps git from answering quickly is "not available": it never stops a run.
    """
    repo = _git(directory, "rev-parse", "--show-toplevel")
    if repo is None:
        return NoGit()
    commit = _git(directory, "rev-parse", "--verify", "--quiet", "HEAD")
    changes = _git(directory, "status", "--porcelain")
    if changes is None:
        return NoGit()
    return GitFacts(repo=repo, commit=commit, dirty=bool(changes))


def _git(directory: Path, *arguments: str) -> str | None:
    # Neither may a repository's configuration start programs for us, nor may `status` write its index.
    command = ("git", "-c", "core.fsmonitor=false", "--no-optional-locks", *arguments)
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, check=False, timeout=_PATIENCE_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
