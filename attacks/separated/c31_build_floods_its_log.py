# C31: a build that never stops talking
# phase: build
# ends: failed solution_build_failed participant
# quick: no
import os

while True:
    os.write(1, b"x" * 65536)
    os.write(2, b"\xff" * 65536)
