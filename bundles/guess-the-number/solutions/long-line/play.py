"""Answers with one line of a megabyte that has no end, and leaves."""

import sys

input()
sys.stdout.write("7" * 1_000_000)
