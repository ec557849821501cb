# B14: daemons that try to rewrite the result, and fill the process table
# ends: passed - -
import os

import honest

asked = honest.question()
for _ in range(30):
    if os.fork() == 0:
        os.setsid()
        while True:
            try:
                os.close(os.open("/output/result.json", os.O_WRONLY))
            except OSError:
                pass
honest.answer(asked)
