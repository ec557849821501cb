"""Writes the pictures and manifests of grey-levels under the directory given: `make_cases.py v1`."""

import json
import sys
from collections.abc import Callable
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


def picture(width: int, height: int, grey: Callable[[int, int], int], comment: str = "") -> bytes:
    pixels = bytes(max(0, min(255, grey(x, y))) for y in range(height) for x in range(width))
    return f"P5\n{comment}{width} {height}\n255\n".encode() + pixels


def gradient(width: int, height: int) -> bytes:
    return picture(width, height, lambda x, y: (x * 255) // width)


def two_tone(width: int, height: int) -> bytes:
    """Eleven greys in two groups: few enough to try every pair."""
    return picture(width, height, lambda x, y: (20, 24, 31, 180)[(x + y) % 4] + (x // 9) % 3 * 2)


def noise(width: int, height: int, seed: int) -> bytes:
    source = Source(seed)
    return picture(width, height, lambda x, y: source.below(256))


def rings(width: int, height: int, seed: int) -> bytes:
    """Rings with grain, and a comment in the header that a reader has to skip."""
    source = Source(seed)

    def grey(x: int, y: int) -> int:
        squared = (2 * x - width) ** 2 + (2 * y - height) ** 2
        return 40 + squared // 40 % 170 + source.below(24)

    return picture(width, height, grey, "# drawn for the challenge\n")


def hills(width: int, height: int, seed: int) -> bytes:
    """Greys crowd around a few values, far from evenly."""
    source = Source(seed)
    peaks = [source.below(256) for _ in range(5)]
    return picture(width, height, lambda x, y: peaks[(x // 7 + y // 5) % 5] + source.below(13) + source.below(13) - 12)


VALIDATION = {
    "gradient": (gradient(64, 48), 4),
    "two-tone": (two_tone(48, 32), 2),
    "noise": (noise(64, 64, 31), 8),
    "rings": (rings(80, 60, 32), 6),
}
OFFICIAL = {
    "one-grey": (hills(40, 40, 41), 1),
    "two-tone": (two_tone(60, 40), 2),
    "rings-large": (rings(120, 90, 42), 8),
    "hills": (hills(96, 72, 43), 5),
    "noise-many-greys": (noise(72, 72, 44), 16),
}


def run(name: str, folder: str, levels: int) -> dict:
    source = f"{folder}/{name}.pgm"
    return {
        "run_name": name,
        "interface": "file_system",
        "stdin_json": None,
        "stdin_text": None,
        "input_files": [
            {"path": "picture.pgm", "source_path": source},
            {"path": "task.json", "content_json": {"levels": levels}},
        ],
        "output_files": ["picture.pgm"],
        "metadata": {"levels": levels},
    }


def write(root: Path, manifest: str, folder: str, cases: dict[str, tuple[bytes, int]]) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name, (content, _) in cases.items():
        (root / folder / f"{name}.pgm").write_bytes(content)
    runs = [run(name, folder, levels) for name, (_, levels) in cases.items()]
    (root / manifest).write_text(json.dumps({"runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    write(root, "public/runs.json", "public/pictures/validation", VALIDATION)
    write(root, "public/official-runs.json", "public/pictures/official", OFFICIAL)
