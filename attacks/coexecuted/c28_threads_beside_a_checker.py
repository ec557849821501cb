# C28: threads without end, while the evaluator starts checkers
# ends: failed verdict_fail -
# quick: no
import threading
import time

while True:
    try:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    except RuntimeError:
        pass
