# C34: a tree that is deeper than a program recurses, which nobody removes by recursion
# ends: failed all_samples_failed participant
import os

import honest

honest.answer()
os.chdir("/io/output")
for _ in range(1100):
    os.mkdir("d")
    os.chdir("d")
