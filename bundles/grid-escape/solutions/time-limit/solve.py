"""Tries every way that never comes back to a cell. TOO SLOW on all but the smallest grids."""

import os
import sys
from pathlib import Path

sys.setrecursionlimit(10_000)
grid = (Path(os.environ["AGENTICS_INPUT_DIR"]) / "grid.txt").read_text().split()
cells = {(r, c): cell for r, row in enumerate(grid) for c, cell in enumerate(row) if cell != "#"}
start = next(place for place, cell in cells.items() if cell == "S")
been = {start}


def shortest(place: tuple[int, int]) -> float:
    if cells[place] == "E":
        return 0
    best = float("inf")
    r, c = place
    for further in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
        if further in cells and further not in been:
            been.add(further)
            best = min(best, 1 + shortest(further))
            been.remove(further)
    return best


steps = shortest(start)
answer = -1 if steps == float("inf") else steps
(Path(os.environ["AGENTICS_OUTPUT_DIR"]) / "distance.txt").write_text(f"{answer}\n")
