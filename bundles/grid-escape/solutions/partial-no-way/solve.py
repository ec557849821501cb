"""Breadth-first search. PARTLY WRONG: says 0 when the exit cannot be reached."""

import os
from collections import deque
from pathlib import Path

grid = (Path(os.environ["AGENTICS_INPUT_DIR"]) / "grid.txt").read_text().split()
cells = {(r, c): cell for r, row in enumerate(grid) for c, cell in enumerate(row) if cell != "#"}
start = next(place for place, cell in cells.items() if cell == "S")
steps, waiting = {start: 0}, deque([start])
while waiting:
    r, c = waiting.popleft()
    for place in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
        if place in cells and place not in steps:
            steps[place] = steps[r, c] + 1
            waiting.append(place)
exit_place = next(place for place, cell in cells.items() if cell == "E")
(Path(os.environ["AGENTICS_OUTPUT_DIR"]) / "distance.txt").write_text(f"{steps.get(exit_place, 0)}\n")
