# B14, B15: a double-forked daemon rewrites the output for as long as it lives, which is as long as its parent
# ends: passed - -
import os
import time

import honest

asked = honest.question()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(0.05)
    while True:
        with open("/io/late.txt", "a") as file:
            file.write("late\n")
        time.sleep(0.01)
os.wait()
honest.answer(asked)
