# C34: files that are large and hold nothing
# ends: failed all_samples_failed participant
# quick: no
import os

import honest

honest.answer()
problems = honest.refused(
    "a terabyte", lambda: os.truncate(os.open("/io/output/huge", os.O_RDWR | os.O_CREAT), 1 << 40)
)
print(*problems)
for number in range(64):
    os.truncate(os.open(f"/io/output/{number}", os.O_RDWR | os.O_CREAT), 15 << 20)
