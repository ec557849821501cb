# A4, A8: looks for the other case's input, its name, and how many there are
# ends: passed - -
import os
import re

import honest

asked = honest.question()
problems = [name for name in os.environ if re.search(r"COUNT|SEED|MODE|TOTAL", name)]
if not re.fullmatch(r"run-\d{4}", os.environ["AGENTICS_RUN_NAME"]):
    problems.append(os.environ["AGENTICS_RUN_NAME"])
other = {"token-a": b"token-b", "token-b": b"token-a"}[asked["token"]]
for top in ("/io", "/tmp", "/dev/shm", "/workspace", "/var", "/run", "/home", "/mnt", "/srv", "/challenge", "/setup"):
    for folder, _, files in os.walk(top):
        for path in (os.path.join(folder, each) for each in files):
            if os.path.isfile(path) and os.access(path, os.R_OK) and not path.endswith("main.py"):
                with open(path, "rb") as file:
                    if other in file.read():
                        problems.append(path)
problems += [
    path for path in ("/challenge", "/solution-runs", "/setup", "/metadata", "/output") if os.path.exists(path)
]
honest.answer_unless(problems, asked)
