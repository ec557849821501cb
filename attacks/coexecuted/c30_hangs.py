# C30: ignores every signal that it can, and sleeps
# ends: failed verdict_fail -
# quick: no
import signal
import time

for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
time.sleep(10_000)
