"""Writes the manifests and answers of range-sums under the directory given: `make_cases.py v1`."""

import itertools
import json
import sys
from pathlib import Path

MASK = (1 << 64) - 1


class Source:
    """SplitMix64: the same numbers from the same seed with every Python."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, bound: int) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % bound

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)


def random_case(seed: int, n: int, q: int, size: int) -> tuple[list[int], list[tuple[int, int]]]:
    source = Source(seed)
    numbers = [source.between(-size, size) for _ in range(n)]
    return numbers, [tuple(sorted((source.between(1, n), source.between(1, n)))) for _ in range(q)]


def wide_case(seed: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Nearly every query spans the whole list, so answering entry by entry takes 1.4e8 steps."""
    source = Source(seed)
    n = 12_000
    numbers = [source.between(-9, 9) for _ in range(n)]
    return numbers, [(source.between(1, 99), source.between(n - 99, n)) for _ in range(n)]


def huge_case(n: int) -> tuple[list[int], list[tuple[int, int]]]:
    return [10**12] * n, [(1, i) for i in range(1, n + 1)]


VALIDATION = {
    "sample": ([3, -1, 4, 1, -5], [(1, 5), (2, 2), (3, 4)]),
    "single-entry": ([7], [(1, 1)]),
    "mixed-signs": random_case(11, 200, 300, 1000),
    "huge-values": huge_case(50),
    "wide-ranges": wide_case(12),
}
OFFICIAL = {
    "two-entries": ([-4, 4], [(1, 1), (2, 2), (1, 2)]),
    "all-zero": ([0] * 40, [(1, 40), (5, 9)]),
    "mixed-small": random_case(21, 30, 60, 9),
    "mixed-medium": random_case(22, 700, 500, 10**6),
    "mixed-huge": random_case(23, 400, 400, 10**12),
    "huge-values": huge_case(120),
    "long-list": random_case(24, 3000, 800, 99),
    "wide-ranges": wide_case(25),
}


def write(root: Path, manifest: str, folder: str, cases: dict) -> None:
    runs = []
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name, (numbers, queries) in cases.items():
        totals = [0, *itertools.accumulate(numbers)]
        answer = f"{folder}/{name}.txt"
        (root / answer).write_text("".join(f"{totals[right] - totals[left - 1]}\n" for left, right in queries))
        head = f"{len(numbers)} {len(queries)}\n{' '.join(map(str, numbers))}\n"
        runs.append(
            {
                "run_name": name,
                "interface": "stdio",
                "stdin_json": None,
                "stdin_text": head + "".join(f"{left} {right}\n" for left, right in queries),
                "input_files": None,
                "output_files": None,
                "metadata": {"answer": answer},
            }
        )
    (root / manifest).write_text(json.dumps({"runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    write(root, "public/runs.json", "public/answers/validation", VALIDATION)
    write(root, "public/official-runs.json", "public/answers/official", OFFICIAL)
