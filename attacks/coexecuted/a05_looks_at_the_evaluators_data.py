# A5, B22, B23: private data, the evaluator's processes, memory, descriptors and its places
# ends: passed - -
import os
import signal

import honest


def fail():
    raise OSError


asked, problems = honest.question(), []
for folder in ("/challenge", "/setup", "/metadata", "/output", "/output/tmp"):
    problems += honest.refused(folder, lambda f=folder: os.listdir(f))
    problems += honest.refused(folder, lambda f=folder: open(f"{f}/private-benchmark/answers.json").read())
    problems += honest.refused(folder, lambda f=folder: open(f"{f}/result.json", "w"))
for pid in honest.others():
    for name in ("environ", "mem", "maps", "stack"):
        problems += honest.refused(
            f"{pid} {name}", lambda p=pid, n=name: open(f"/proc/{p}/{n}", "rb").read(1) or fail()
        )
    problems += honest.refused(f"{pid} fd", lambda p=pid: os.listdir(f"/proc/{p}/fd"))
    problems += honest.refused(f"kill {pid}", lambda p=pid: [os.kill(p, signal.SIGCONT), "sent"])
problems += [name for name in os.environ if name.startswith("AGENTICS_")]
honest.answer_unless(problems, asked)
