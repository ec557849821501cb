# B13: stdout.txt and stdin.txt become directories
# ends: failed all_samples_failed participant
# quick: no
import os

for name in ("/io/stdout.txt", "/io/stdin.txt", "/io/stderr.txt"):
    os.unlink(name)
    os.mkdir(name)
    open(f"{name}/inside", "w").close()
