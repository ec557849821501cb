"""Prefix sums by recursion. CRASHES: Python refuses the depth that a long list needs."""

import sys

n, q, *rest = map(int, sys.stdin.buffer.read().split())
entries, questions = rest[:n], rest[n:]


def totals(count: int) -> list[int]:
    if count == 0:
        return [0]
    shorter = totals(count - 1)
    shorter.append(shorter[-1] + entries[count - 1])
    return shorter


table = totals(n)
for l, r in zip(questions[0::2], questions[1::2]):
    print(table[r] - table[l - 1])
