"""Answers the first question, and then never stops thinking about the second."""

import sys

input()
tag = input().split()[1]
print(tag, 1, flush=True)
print(input(), file=sys.stderr)
while True:
    pass
