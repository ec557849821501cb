# C34: one large file under a thousand names counts a thousand times
# ends: failed all_samples_failed participant
# quick: no
import os

import honest

honest.answer()
with open("/io/output/one", "wb") as file:
    file.write(b"x" * (1 << 20))
for number in range(1000):
    os.link("/io/output/one", f"/io/output/{number}")
