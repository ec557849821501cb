# B25: never says anything, in no way that can be hurried
# ends: failed all_samples_failed participant
# quick: no
import signal
import time

for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
time.sleep(10_000)
