"""Laid beside every hostile solution: the honest answer, so that an attack can be told from a plain failure."""

import json
import os
import sys
from pathlib import Path


def question():
    if os.environ.get("AGENTICS_INTERFACE") == "file_system":
        return json.loads(Path(os.environ["AGENTICS_INPUT_DIR"], "deep/question.json").read_text())
    return json.loads(sys.stdin.readline().partition(" x")[0])


def answer(asked=None):
    asked = question() if asked is None else asked
    if os.environ.get("AGENTICS_INTERFACE") == "file_system":
        Path(os.environ["AGENTICS_OUTPUT_DIR"], "answer.txt").write_text(str(2 * asked["n"]))
    else:
        print(2 * asked["n"], flush=True)


def converse():
    """The piped session, to its end."""
    for line in sys.stdin:
        print(2 * int(line.split()[0]), flush=True)


def answer_unless(problems, asked=None):
    """The honest answer where nothing of what was tried succeeded; otherwise what did, on stderr, which is kept of
    every solution."""
    asked = question() if asked is None else asked
    if problems:
        print("NOT CONTAINED:", *problems, sep="\n  ", file=sys.stderr, flush=True)
    else:
        answer(asked)


def others():
    """Processes of other users, as far as they are still there when they are looked at."""
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            if os.stat(f"/proc/{pid}").st_uid != os.getuid():
                yield pid
        except OSError:
            pass


def refused(what, attempt):
    """Nothing where the attempt is refused, a problem where it is not."""
    try:
        found = attempt()
    except (OSError, ValueError):
        return []
    return [f"{what}: {str(found)[:200]}"]


def go_on():
    """The honest answer, where this phase has a question."""
    if os.environ.get("AGENTICS_PHASE") in ("setup", "build"):
        return
    converse() if os.environ.get("AGENTICS_INTERFACE") == "piped_stdio" else answer()
