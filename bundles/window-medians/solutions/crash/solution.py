"""Works for the first call, which is not timed, and crashes in the second."""

CALLS = []


def medians(values, window):
    CALLS.append(1)
    1 // (2 - len(CALLS))
    middle = window // 2
    return [sorted(values[at : at + window])[middle] for at in range(len(values) - window + 1)]
