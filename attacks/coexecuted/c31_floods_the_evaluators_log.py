# C31: output without end on the stream that the evaluator lent
# ends: failed verdict_fail -
# quick: no
import os

while True:
    os.write(2, b"x" * (1 << 20))
