# B13: a file where the evaluator was promised a directory
# ends: failed all_samples_failed participant
# quick: no
import shutil

import honest

asked = honest.question()
shutil.rmtree("/io/output")
open("/io/output", "w").close()
honest.answer(asked)
