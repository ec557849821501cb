"""Answers with far more numbers than there are windows."""


def medians(values, window):
    return [1234567] * 1_000_000
