# C30: all the processors, and no signal is heard
# ends: failed all_samples_failed participant
# quick: no
import os
import signal

for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
for _ in range(8):
    os.fork()
while True:
    pass
