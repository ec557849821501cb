# D41: setuid programs of the image and of its own, and every way to a capability
# ends: passed - -
import ctypes
import os
import shutil
import subprocess

import honest

PR_GET_NO_NEW_PRIVS = 39
sets = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")  # gVisor does not name the last one
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
problems = [f"{name} is {status[name]}" for name in sets if int(status.get(name, "0"), 16)]
problems += [] if ctypes.CDLL(None).prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 else ["new privileges may be gained"]
problems += [] if status["Seccomp"] == "2" else ["no seccomp filter"]
problems += [f"uid {os.getresuid()}"] if 0 in os.getresuid() + os.getresgid() or os.getgroups() == [0] else []
for change in (os.setuid, os.setgid, os.seteuid):
    problems += honest.refused(change.__name__, lambda c=change: [c(0), "changed"])
problems += honest.refused("setgroups", lambda: os.setgroups([0]))
problems += honest.refused("chown", lambda: os.chown("/io/output", 0, 0))
problems += honest.refused("chroot", lambda: os.chroot("/io"))
shutil.copy("/usr/bin/id", "/tmp/id")
os.chmod("/tmp/id", 0o6755)
for program in (
    ["/tmp/id", "-u"],
    ["su", "-c", "id -u"],
    ["mount", "-t", "tmpfs", "none", "/io/tmp"],
    ["newgrp", "root"],
):
    try:
        done = subprocess.run(program, capture_output=True, text=True, timeout=2, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        continue
    if done.stdout.strip() == "0" or (program[0] == "mount" and done.returncode == 0):
        problems.append(str(program))
honest.answer_unless(problems)
