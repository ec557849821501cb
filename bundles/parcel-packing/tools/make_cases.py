"""Writes runs.json and best.json under the directory given: `make_cases.py v1/public public`.

The second argument is the seed. The official files came from another seed, which is not written down.
"""

import hashlib
import json
import sys
from pathlib import Path

MASK = (1 << 64) - 1
SIZES = [(12, 60), (30, 200), (60, 900), (90, 2500), (120, 5000)]


class Source:
    """SplitMix64, started from a text: the same numbers with every Python."""

    def __init__(self, seed: str) -> None:
        self.state = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")

    def between(self, low: int, high: int) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return low + (z ^ (z >> 31)) % (high - low + 1)


def van(seed: str, count: int, capacity: int) -> dict:
    """Values follow weights closely, which is what makes a greedy choice go wrong."""
    source = Source(seed)
    parcels = []
    for _ in range(count):
        weight = source.between(capacity // 20 + 1, capacity // 3)
        parcels.append({"weight": weight, "value": 10 * weight + source.between(1, 2 * capacity)})
    return {"capacity": capacity, "parcels": parcels}


def best_value(van: dict) -> int:
    best = [0] * (van["capacity"] + 1)
    for parcel in van["parcels"]:
        for room in range(van["capacity"], parcel["weight"] - 1, -1):
            best[room] = max(best[room], best[room - parcel["weight"]] + parcel["value"])
    return best[-1]


def run(name: str, van: dict) -> dict:
    return {
        "run_name": name,
        "interface": "stdio",
        "stdin_json": van,
        "stdin_text": None,
        "input_files": None,
        "output_files": None,
        "metadata": None,
    }


if __name__ == "__main__":
    root, seed = Path(sys.argv[1]), sys.argv[2]
    vans = {f"van-{number}": van(f"{seed}/{number}", *size) for number, size in enumerate(SIZES, 1)}
    runs = {"runs": [run(name, van) for name, van in vans.items()]}
    (root / "runs.json").write_text(json.dumps(runs) + "\n")
    (root / "best.json").write_text(json.dumps({name: best_value(van) for name, van in vans.items()}, indent=2) + "\n")
