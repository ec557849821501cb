# C28: threads until no more are to be had
# ends: passed - -
# quick: no
import os
import threading

import honest

asked = honest.question()
threading.stack_size(32768)
made, stop = 0, threading.Event()
try:
    while made < 5000:
        threading.Thread(target=stop.wait, daemon=True).start()
        made += 1
except RuntimeError:
    pass
if made < 1000:
    honest.answer(asked)
else:
    print("NOT CONTAINED", made)
os._exit(0)
