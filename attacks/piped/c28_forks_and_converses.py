# C28: fills its process limit with children that hold the pipes, and answers all the same
# ends: passed - -
# runsc: failed all_samples_failed participant
import os
import signal

import honest

try:
    for _ in range(5000):
        if os.fork() == 0:
            signal.pause()
except OSError:
    pass
honest.converse()
