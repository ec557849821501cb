# B13: no directory at all where the evaluator was promised one: it sees an empty one
# ends: passed - -
import os

import honest

asked = honest.question()
os.rmdir("/io/output")
honest.answer(asked)
