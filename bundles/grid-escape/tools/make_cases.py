"""Writes the validation grids and their manifest under the directory given: `make_cases.py v1`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "v1" / "separated-evaluator"))
sys.dont_write_bytecode = True

import grids

VALIDATION = {
    "example": (["S.#.", "#..E"], 4),
    "no-way": grids.grid("public/1", 10, 14, open_way=False),
    "medium": grids.grid("public/2", 24, 32, open_way=True),
    "large": grids.grid("public/3", 64, 72, open_way=True),
}

if __name__ == "__main__":
    root = Path(sys.argv[1])
    grids.write(root, "public/grids", root / "public/runs.json", VALIDATION)
