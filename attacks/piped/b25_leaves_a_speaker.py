# B25, B14: the program ends, and a daemon holds both pipes and speaks on
# ends: failed all_samples_failed participant
# quick: no
import os
import sys
import time

if os.fork() == 0:
    os.setsid()
    time.sleep(0.2)
    for line in sys.stdin:
        print(2 * int(line.split()[0]), flush=True)
    os._exit(0)
os._exit(1)
