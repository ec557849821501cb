"""Serves calls to one `medians` function over pipes. Runs in the solution's process, so nothing here is trusted.

Request: `NONCE LENGTH`, a newline, and LENGTH bytes of JSON `[values, window]`; the answer has the same form.
The evaluator passes this file's text to `python3 -c`: the solution's user need not be able to read it.
"""

import importlib.util
import json
import os
import sys

requests = os.fdopen(os.dup(0), "rb")
answers = os.fdopen(os.dup(1), "wb")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)  # what the solution prints is no answer

path = sys.argv[1]
sys.path.insert(0, os.path.dirname(path))
spec = importlib.util.spec_from_file_location("solution", path)
solution = importlib.util.module_from_spec(spec)
spec.loader.exec_module(solution)

for line in requests:
    nonce, length = line.split()
    values, window = json.loads(requests.read(int(length)))
    body = json.dumps(solution.medians(values, window)).encode()
    answers.write(b"%s %d\n%s" % (nonce, len(body), body))
    answers.flush()
