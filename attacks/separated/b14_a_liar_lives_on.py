# B14: the answer is wrong when the program ends, and a daemon means to put it right afterwards
# ends: failed verdict_fail -
# quick: no
import os
import time

import honest

asked = honest.question()
if os.fork() == 0:
    os.setsid()
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.001)
    time.sleep(0.3)
    with open("/io/stdout.txt", "w") as file:
        file.write(str(2 * asked["n"]))
    os._exit(0)
print("wrong", flush=True)
