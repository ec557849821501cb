# C30: sleeps for ever, in a session of its own, streams closed
# ends: failed all_samples_failed participant
import os
import time

os.closerange(0, 3)
if os.fork():
    os.waitpid(-1, 0)
os.setsid()
time.sleep(10_000)
