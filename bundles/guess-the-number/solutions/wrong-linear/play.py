"""Counts up from 1. Finds every number in the end, but not within the budget."""

cases = int(input().split()[1])
for _ in range(cases):
    tag = input().split()[1]
    guess, answer = 0, "higher"
    while answer == "higher":
        guess += 1
        print(tag, guess, flush=True)
        answer = input()
    if answer.startswith("stop"):
        break
