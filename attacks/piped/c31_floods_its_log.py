# C31: standard error without end
# ends: failed all_samples_failed participant
# quick: no
import os

while True:
    os.write(2, b"\xff" * 65536)
