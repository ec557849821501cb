# C35: reads a FIFO that nobody writes, and holds every lock
# ends: failed all_samples_failed participant
import fcntl
import os

os.mkfifo("/io/tmp/f")
fcntl.flock(os.open("/io/stdout.txt", os.O_RDWR), fcntl.LOCK_EX)
open("/io/tmp/f").read()
