"""The distance as the crow walks. WRONG: walls do not count."""

import os
from pathlib import Path

grid = (Path(os.environ["AGENTICS_INPUT_DIR"]) / "grid.txt").read_text().split()
where = {cell: (r, c) for r, row in enumerate(grid) for c, cell in enumerate(row) if cell in "SE"}
(r, c), (exit_r, exit_c) = where["S"], where["E"]
(Path(os.environ["AGENTICS_OUTPUT_DIR"]) / "distance.txt").write_text(f"{abs(r - exit_r) + abs(c - exit_c)}\n")
