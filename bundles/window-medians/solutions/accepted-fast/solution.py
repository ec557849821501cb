"""Keeps the window sorted: one value out and one in for each step."""

from bisect import bisect_left, insort


def medians(values, window):
    inside = sorted(values[:window])
    middle = window // 2
    result = [inside[middle]]
    for gone, new in zip(values, values[window:]):
        del inside[bisect_left(inside, gone)]
        insort(inside, new)
        result.append(inside[middle])
    return result
