"""Sends its guesses before it has seen a question, and so without the tag of the case."""

import sys

for guess in range(1, 101):
    print(guess, flush=True)
sys.stdin.read()
