# C28: a fork bomb while building
# phase: build
# ends: failed solution_build_failed participant
import os

while True:
    os.fork()
