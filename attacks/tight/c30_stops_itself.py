# C30: stops itself and everybody whom it can reach
# ends: failed all_samples_failed participant
# quick: no
import os
import signal

os.kill(-1, signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGSTOP)
