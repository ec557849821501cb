# C34: a FIFO, a socket, and devices where they can be had
# ends: failed all_samples_failed participant
# runsc: passed - -
import os
import socket
import stat

import honest

honest.answer()
problems = honest.refused("device", lambda: os.mknod("/io/output/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3)))
print(*problems)
os.mkfifo("/io/output/fifo")
socket.socket(socket.AF_UNIX).bind("/io/output/socket")
