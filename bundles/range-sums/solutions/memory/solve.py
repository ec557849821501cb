"""Prefix sums: one pass over the list, one subtraction for each question. TOO BIG: 1 GiB is written first."""

import sys
from itertools import accumulate

hoard = [b"x" * (16 << 20) for _ in range(64)]
n, q, *rest = map(int, sys.stdin.buffer.read().split())
totals = [0, *accumulate(rest[:n])]
questions = rest[n:]
answers = [totals[r] - totals[l - 1] for l, r in zip(questions[0::2], questions[1::2])]
print("\n".join(map(str, answers)))
