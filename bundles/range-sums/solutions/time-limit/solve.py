"""Goes through the whole list for every question. TOO SLOW where both are long."""

import sys

n, q, *rest = map(int, sys.stdin.buffer.read().split())
entries, questions = rest[:n], rest[n:]
for l, r in zip(questions[0::2], questions[1::2]):
    total = 0
    for i, entry in enumerate(entries, start=1):
        if l <= i <= r:
            total += entry
    print(total)
