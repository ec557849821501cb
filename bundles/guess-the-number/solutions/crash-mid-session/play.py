"""Solves cases of up to 50 numbers by a table, and crashes on the first larger one, in the middle of the session."""

TABLE = list(range(1, 51))

cases = int(input().split()[1])
for _ in range(cases):
    tag, high = input().split()[1:3]
    low, high = 0, int(high) - 1
    while True:
        middle = (low + high) // 2 if high < len(TABLE) else high
        print(tag, TABLE[middle], flush=True)
        answer = input()
        if answer == "found":
            break
        low, high = (middle + 1, high) if answer == "higher" else (low, middle - 1)
