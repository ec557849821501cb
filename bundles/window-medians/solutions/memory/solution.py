"""Wants more memory than there is."""


def medians(values, window):
    table = []
    while True:
        table.append(b"median" * 1_000_000)
