# B27, E53: leaves notes in every writable place, so that a later case finds what an earlier one computed
# phase: both
# ends: passed - -
import os

import honest

FOLDERS = (
    "/tmp",
    "/dev/shm",
    "/io",
    "/io/output",
    "/var/tmp",
    "/run",
    "/run/lock",
    os.path.expanduser("~"),
    "/dev/mqueue",
)
asked = honest.question() if "AGENTICS_INTERFACE" in os.environ else None
found = [folder for folder in FOLDERS if os.path.exists(f"{folder}/remembered")]
for folder in FOLDERS:
    try:
        with open(f"{folder}/remembered", "w") as file:
            file.write(str(asked))
    except OSError:
        pass
if asked is not None:
    try:
        with open("/workspace/remembered", "a") as file:
            found.append(f"/workspace can be written to: {file.name}")
    except OSError:
        pass
if found:
    print("NOT CONTAINED", found)
elif asked is not None:
    honest.answer(asked)
