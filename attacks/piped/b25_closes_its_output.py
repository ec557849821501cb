# B25: half closed: it listens on, and can say no more
# ends: failed verdict_fail -
# runsc: failed all_samples_failed participant
# quick: no
import os
import sys

os.close(1)
sys.stdin.read()
os._exit(0)
