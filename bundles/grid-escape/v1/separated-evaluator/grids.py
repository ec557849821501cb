"""Makes grids from a seed and writes them as a run manifest. Same seed, same bytes, with every Python."""

import hashlib
import json
from collections import deque
from pathlib import Path

MASK = (1 << 64) - 1
FREE, WALL, START, EXIT = ".#SE"


class Source:
    """SplitMix64, started from a text."""

    def __init__(self, seed: str) -> None:
        self.state = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")

    def below(self, bound: int) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % bound


def grid(seed: str, rows: int, columns: int, *, open_way: bool) -> tuple[list[str], int]:
    """Rows and distance of the first grid of this seed that has, or has not, a way out."""
    source = Source(seed)
    while True:
        cells = [[WALL if source.below(100) < 33 else FREE for _ in range(columns)] for _ in range(rows)]
        cells[source.below(rows)][source.below(columns // 4)] = START
        exit_row, exit_column = source.below(rows), columns - 1 - source.below(columns // 4)
        cells[exit_row][exit_column] = EXIT
        if not open_way:
            enclose(cells, exit_row, exit_column)
        found = distance(cells)
        if (found >= 0) == open_way:
            return ["".join(row) for row in cells], found


def enclose(cells: list[list[str]], row: int, column: int) -> None:
    for r, c in neighbours(cells, row, column):
        if cells[r][c] == FREE:
            cells[r][c] = WALL


def neighbours(cells: list[list[str]], row: int, column: int) -> list[tuple[int, int]]:
    around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return [(r, c) for r, c in around if 0 <= r < len(cells) and 0 <= c < len(cells[0])]


def distance(cells: list[list[str]]) -> int:
    """Steps from start to exit, -1 without a way."""
    start = next((r, c) for r, row in enumerate(cells) for c, cell in enumerate(row) if cell == START)
    steps, waiting = {start: 0}, deque([start])
    while waiting:
        row, column = waiting.popleft()
        if cells[row][column] == EXIT:
            return steps[row, column]
        for r, c in neighbours(cells, row, column):
            if cells[r][c] != WALL and (r, c) not in steps:
                steps[r, c] = steps[row, column] + 1
                waiting.append((r, c))
    return -1


def write(root: Path, folder: str, manifest: Path, grids: dict[str, tuple[list[str], int]]) -> None:
    """The grids under `root`/`folder`, and the manifest that names them relative to `root`."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    runs = []
    for name, (rows, steps) in grids.items():
        source = f"{folder}/{name}.txt"
        (root / source).write_text("\n".join(rows) + "\n")
        runs.append(
            {
                "run_name": name,
                "interface": "file_system",
                "stdin_json": None,
                "stdin_text": None,
                "input_files": [{"path": "grid.txt", "source_path": source}],
                "output_files": ["distance.txt"],
                "metadata": {"distance": steps},
            }
        )
    manifest.write_text(json.dumps({"runs": runs}, indent=2) + "\n")
