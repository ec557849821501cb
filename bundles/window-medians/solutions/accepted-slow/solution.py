"""Sorts each window anew, as the baseline does."""


def medians(values, window):
    middle = window // 2
    return [sorted(values[at : at + window])[middle] for at in range(len(values) - window + 1)]
