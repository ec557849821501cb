"""Challenge setup: generates the official grids from the private seed."""

import argparse
from pathlib import Path

import grids

SIZES = [(20, 24), (20, 30), (30, 30), (40, 25), (45, 60), (60, 60), (70, 80), (80, 80)]
NO_WAY = {2, 5}  # these have no way out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--challenge-dir", type=Path, required=True)
    parser.add_argument("--setup-dir", type=Path, required=True)
    parser.add_argument("--mode", choices=["validation", "official"], required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--runs-file", type=Path, required=True)
    args = parser.parse_args()
    seed = (args.challenge_dir / "private-benchmark" / "seed.txt").read_text(encoding="utf-8").strip()
    made = {
        f"grid-{number}": grids.grid(f"{seed}/{number}", *size, open_way=number not in NO_WAY)
        for number, size in enumerate(SIZES, 1)
    }
    grids.write(args.setup_dir, "grids", args.runs_file, made)
    print(f"{len(made)} grids generated")


if __name__ == "__main__":
    main()
