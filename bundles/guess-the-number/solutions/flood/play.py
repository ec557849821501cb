"""Writes guesses as fast as it can and never reads an answer."""

import os

guesses = b"1\n" * 500_000
while True:
    os.write(1, guesses)
