# C28: forks until no more is to be had, in sessions of their own, and answers all the same
# ends: passed - -
# runsc: failed all_samples_failed participant
import os
import signal

import honest

asked = honest.question()
made = 0
try:
    while made < 5000:
        if os.fork() == 0:
            os.setsid()
            signal.pause()
        made += 1
except OSError:
    pass
if made < 1000:
    honest.answer(asked)
else:
    print("NOT CONTAINED", made)
