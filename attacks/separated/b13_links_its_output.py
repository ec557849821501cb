# B13: its own streams and outputs are links to what it may not read
# ends: failed all_samples_failed participant
import os

import honest

asked = honest.question()
for path, target in (("/io/output/result.json", "/proc/self/environ"), ("/io/output/answers", "/challenge")):
    os.symlink(target, path)
honest.answer(asked)
