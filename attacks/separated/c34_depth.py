# C34: four hundred directories deep
# ends: failed all_samples_failed participant
import os

import honest

honest.answer()
os.chdir("/io/output")
for _ in range(400):
    os.mkdir("d" * 100)
    os.chdir("d" * 100)
open("bottom", "w").close()
