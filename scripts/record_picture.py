#!/usr/bin/env python3
"""Records the picture in README.md: a real evaluation in a real terminal, and what the terminal shows at its end.

Needs a container engine and the images: `make setup` first. Writes docs/images/run.svg, with no outside fonts.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "run.svg"
COLUMNS = 104
SOLUTIONS = "range-sums/solutions"
WORDS = (
    ("agentics", "eval", "range-sums", "--run-id", "first"),
    ("--solution", f"{SOLUTIONS}/accepted-cpp"),
    ("--solution", f"{SOLUTIONS}/time-limit"),
)
CONTROL = re.compile(r"\x1b\[(?P<number>\d*)(?P<what>[A-Ka-ln-z])|\x1b\[\?\d+[hl]|(?P<move>[\r\n])")


def record(place: Path) -> str:
    """What the command writes to a terminal of COLUMNS columns, escape sequences included."""
    shutil.copytree(ROOT / "bundles" / "range-sums", place / "range-sums")
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", *(word for line in WORDS for word in line)],
        cwd=place,
        env={**environment, "COLUMNS": str(COLUMNS), "LINES": "50", "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b"".join(chunks(ours))
    if process.wait() != 1:  # one of the two solutions fails
        sys.exit(f"the evaluation ended with {process.returncode}:\n{written.decode()}")
    return written.decode()


def chunks(descriptor: int) -> Iterator[bytes]:
    """All that comes, until the other side is closed: Linux says so with an error."""
    while True:
        try:
            chunk = os.read(descriptor, 1 << 16)
        except OSError:
            return
        if not chunk:
            return
        yield chunk


def screen(written: str) -> list[str]:
    """The lines that stay: the live region moves up and erases what it drew, which is all that is obeyed here."""
    lines, row, at = [""], 0, 0
    for found in CONTROL.finditer(written):
        lines[row] += written[at : found.start()]
        at = found.end()
        if found["move"] == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif found["what"] == "A":
            row -= int(found["number"] or 1)
        elif found["what"] == "K":
            lines[row] = ""
    lines[row] += written[at:]
    return lines


def draw(lines: list[str]) -> str:
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    for number, words in enumerate(WORDS):
        end = " \\" if number + 1 < len(WORDS) else ""
        console.print(Text(("  " if number else "$ ") + " ".join(words) + end, style="bold"))
    for line in "\n".join(lines).rstrip().split("\n"):
        console.print(Text.from_ansi(line))
    code_format = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    # Not every viewer keeps a space at the beginning of a text.
    code_format = code_format.replace("<svg ", '<svg xml:space="preserve" ', 1)
    return console.export_svg(title="agentics", code_format=code_format, unique_id="run")


def main() -> None:
    place = Path(tempfile.gettempdir()) / "challenges"
    place.mkdir()  # a short name, because the picture shows it; whoever has one there keeps it
    try:
        picture = draw(screen(record(place)))
    finally:
        shutil.rmtree(place)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text("\n".join(line.rstrip() for line in picture.split("\n")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
