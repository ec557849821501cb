"""Binary search: halves the range with every guess."""


def next_line():
    return input().split()


def play(tag, high, budget):
    low = 1
    while True:
        middle = (low + high) // 2
        print(tag, middle, flush=True)
        (answer,) = next_line()
        if answer == "found":
            return
        if answer == "higher":
            low = middle + 1
        else:
            high = middle - 1


_, cases = next_line()
for _ in range(int(cases)):
    _, tag, high, budget = next_line()
    play(tag, int(high), int(budget))
