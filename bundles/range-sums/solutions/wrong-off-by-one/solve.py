"""Prefix sums: one pass over the list, one subtraction for each question. WRONG: r is meant to be included."""

import sys
from itertools import accumulate

n, q, *rest = map(int, sys.stdin.buffer.read().split())
totals = [0, *accumulate(rest[:n])]
questions = rest[n:]
answers = [totals[r - 1] - totals[l - 1] for l, r in zip(questions[0::2], questions[1::2])]
print("\n".join(map(str, answers)))
