"""Prefix sums: one pass over the list, one subtraction for each question."""

import sys
from itertools import accumulate

n, q, *rest = map(int, sys.stdin.buffer.read().split())
totals = [0, *accumulate(rest[:n])]
questions = rest[n:]
answers = [totals[r] - totals[l - 1] for l, r in zip(questions[0::2], questions[1::2])]
print("\n".join(map(str, answers)))
