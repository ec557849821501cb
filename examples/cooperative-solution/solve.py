"""Range sums, written as a long computation would be: in steps, after each of which it can be stopped and go on later.

`step_s` among the bindings makes every step take so many seconds, so that there is time to ask for something.
"""

import sys
import time
from itertools import accumulate

from cooperation import Steps, bindings, restored

STEPS = 10

n, q, *rest = map(int, sys.stdin.buffer.read().split())
totals = [0, *accumulate(rest[:n])]
questions = list(zip(rest[n::2], rest[n + 1 :: 2], strict=True))
size = -(-q // STEPS)  # questions in a step
step_s = bindings().get("step_s", 0)

# Progress is all that is needed to go on. The input is not part of it: we are given that again.
progress = restored() or {"next": 0, "answers": []}
steps = Steps()
while progress["next"] * size < q:
    step = progress["next"]
    steps.begin(step)
    time.sleep(step_s)
    progress["answers"] += [totals[last] - totals[first - 1] for first, last in questions[step * size :][:size]]
    progress["next"] += 1
    if not steps.end(step, progress):
        sys.exit()

# Only now, and all of it: what a container printed that was stopped is not kept.
print("\n".join(map(str, progress["answers"])))
