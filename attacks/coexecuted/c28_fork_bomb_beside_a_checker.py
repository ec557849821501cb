# C28: a fork bomb that answers first, and leaves the evaluator no process for a checker
# ends: failed verdict_fail -
import os
import signal

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    while True:
        try:
            os.fork()
        except OSError:
            pass
print("wrong", flush=True)
signal.sigtimedwait([], 1)  # the checkers start while the bomb is there
