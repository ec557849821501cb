# A5, D41: a build that sees no case, leaves setuid programs, links, FIFOs and a daemon, and goes on well
# phase: build
# ends: passed - -
import os
import shutil
import sys

if any(map(os.path.exists, ("/io", "/challenge", "/setup", "/solution-runs", "/output", "/metadata"))):
    sys.exit("NOT CONTAINED")
shutil.copy("/usr/bin/id", "/workspace/id")
os.chmod("/workspace/id", 0o6777)
os.symlink("/challenge", "/workspace/link")
os.symlink("/etc/shadow", "/workspace/shadow")
os.mkfifo("/workspace/fifo")
os.mkdir("/workspace/closed", 0o000)
if os.fork() == 0:
    os.setsid()
    while True:
        pass
