"""Wants a table of all numbers before it makes a guess."""

input()
table = []
while True:
    table.append(b"number" * 1_000_000)
