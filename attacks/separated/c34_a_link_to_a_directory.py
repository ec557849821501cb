# D47, C34: a directory swapped for a link to another place
# ends: failed all_samples_failed participant
# quick: no
import os

import honest

honest.answer()
os.mkdir("/io/output/real")
open("/io/output/real/file", "w").close()
os.rename("/io/output/real", "/io/output/was")
os.symlink("/etc", "/io/output/real")
