# A3: host paths in the mount table that name a challenge, a solution or a user
# ends: passed - -
import re

import honest

WORDS = ("hostile", "challenge-", "bundle", "overlay-", "solution", "benchmark", "/home/", "/root/", "private")
asked, problems = honest.question(), []
for table in ("/proc/self/mountinfo", "/proc/self/mounts", "/proc/1/mountinfo"):
    for line in open(table).read().splitlines():
        fields = line.split()
        source = fields[3] if "mountinfo" in table else fields[0]
        if any(word in source.lower() for word in WORDS):
            problems.append(f"{table}: {line}")
        name = source.rstrip("/").rpartition("/")[2]
        if "/scratch/" in source and not re.fullmatch(r"[0-9a-f]{16}|d", name):
            problems.append(f"{table}: {line}")
honest.answer_unless(problems, asked)
