"""Optimal quantization, but WRONG: written as text (P2), not binary."""

import json
import os
from pathlib import Path


def read_picture(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and pixels of a binary PGM."""
    fields, at = [], 0
    while len(fields) < 4:
        end = at
        while not data[end : end + 1].isspace():
            end += 1
        if data[at:end].startswith(b"#"):
            end = data.index(b"\n", end)
        elif end > at:
            fields.append(data[at:end])
        at = end + 1
    return int(fields[1]), int(fields[2]), data[at:]


def write_picture(width: int, height: int, pixels: bytes) -> None:
    target = Path(os.environ["AGENTICS_OUTPUT_DIR"]) / "picture.pgm"
    target.write_bytes(b"P2\n%d %d\n255\n" % (width, height) + " ".join(map(str, pixels)).encode())


def best_greys(histogram: list[int], levels: int) -> list[int]:
    """The grey to draw for each grey: the cheapest way to cut 0..255 into at most `levels` ranges."""
    counts, sums, squares = [0], [0], [0]
    for grey, count in enumerate(histogram):
        counts.append(counts[-1] + count)
        sums.append(sums[-1] + count * grey)
        squares.append(squares[-1] + count * grey * grey)

    def cost(first: int, end: int) -> tuple[int, int]:
        """The least error when one grey stands for first..end-1, and that grey."""
        n, s, s2 = counts[end] - counts[first], sums[end] - sums[first], squares[end] - squares[first]
        if n == 0:
            return 0, first
        grey = (2 * s + n) // (2 * n)
        return s2 - 2 * grey * s + n * grey * grey, grey

    costs = [[cost(first, end) for first in range(end)] for end in range(257)]
    best = [(0, ())] + [(1 << 62, ())] * 256
    for _ in range(levels):
        grown = best[:]
        for end in range(1, 257):
            row = costs[end]
            first = min(range(end), key=lambda first: best[first][0] + row[first][0])
            error = best[first][0] + row[first][0]
            if error < grown[end][0]:
                grown[end] = (error, (*best[first][1], (end, row[first][1])))
        best = grown
    drawn: list[int] = []
    for end, grey in best[256][1]:
        drawn += [grey] * (end - len(drawn))
    return drawn


inputs = Path(os.environ["AGENTICS_INPUT_DIR"])
levels = json.loads((inputs / "task.json").read_text())["levels"]
width, height, pixels = read_picture((inputs / "picture.pgm").read_bytes())
histogram = [pixels.count(grey) for grey in range(256)]
write_picture(width, height, pixels.translate(bytes(best_greys(histogram, levels))))
