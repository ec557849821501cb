"""Fast, and wrong: the mean is not the median."""


def medians(values, window):
    total = sum(values[:window])
    result = [total // window]
    for gone, new in zip(values, values[window:]):
        total += new - gone
        result.append(total // window)
    return result
