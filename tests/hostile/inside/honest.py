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


def answer_unless(problems):
    """The honest answer where nothing of what was tried succeeded; otherwise what did."""
    asked = question()
    if problems:
        print("NOT CONTAINED:", *problems, sep="\n  ", flush=True)
    else:
        answer(asked)


def refused(what, attempt):
    """Nothing where the attempt is refused, a problem where it is not."""
    try:
        found = attempt()
    except (OSError, ValueError):
        return []
    return [f"{what}: {str(found)[:200]}"]
