# C33, E49: every inode of /dev/shm taken, and its place left empty
# ends: failed shared_container_exhausted participant
# quick: no
import os
import time

try:
    for number in range(1_000_000):
        os.close(os.open(f"/dev/shm/{number}", os.O_CREAT | os.O_WRONLY))
except OSError:
    pass
time.sleep(1000)
