# C34: more files than are carried on, each of them small
# ends: failed all_samples_failed participant
# quick: no
import os

import honest

honest.answer()
try:
    for folder in range(100):
        os.mkdir(f"/io/output/{folder}")
        for number in range(100):
            os.close(os.open(f"/io/output/{folder}/{number}", os.O_CREAT))
except OSError:
    pass
