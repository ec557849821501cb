# B22: a signal to every process that it may reach
# ends: failed verdict_fail -
import os
import signal

os.kill(-1, signal.SIGKILL)
os.kill(os.getppid(), signal.SIGKILL)
print("wrong")
