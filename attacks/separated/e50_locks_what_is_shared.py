# E50: locks and leases on the shared read-only workspace disturb no other case
# ends: passed - -
# quick: no
import fcntl
import os

import honest

asked = honest.question()
held = []
for folder, _, files in os.walk("/workspace"):
    for name in files:
        try:
            held.append(os.open(os.path.join(folder, name), os.O_RDONLY))
            fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.fcntl(held[-1], fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:
            pass
honest.answer(asked)
