# C33: tries a million empty files in each place
# ends: failed all_samples_failed participant
# quick: no
import os

import honest

honest.answer()
for folder in ("/dev/shm", "/io/output"):
    try:
        for number in range(1_000_000):
            os.close(os.open(f"{folder}/{number}", os.O_CREAT))
        print("NOT CONTAINED", folder)
    except OSError:
        pass
