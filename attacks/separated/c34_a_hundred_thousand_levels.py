# C34: a tree as deep as its place has inodes
# ends: failed all_samples_failed participant
# quick: no
import os

import honest

honest.answer()
os.chdir("/io/output")
try:
    for _ in range(100_000):
        os.mkdir("d")
        os.chdir("d")
except OSError:
    pass
