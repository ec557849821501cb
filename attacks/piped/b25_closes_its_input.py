# B25: half closed: it talks, and can hear no more
# ends: failed verdict_fail -
import os

os.close(0)
for number in range(100):
    print(number, flush=True)
