"""The baseline: sorts each window anew."""


def medians(values, window):
    middle = window // 2
    return [sorted(values[at : at + window])[middle] for at in range(len(values) - window + 1)]
