# C34, F55: names with newlines, escapes, and bytes that are no text
# ends: failed all_samples_failed participant
import os

import honest

honest.answer()
os.close(os.open(b"/io/output/\x1b[31m\n\xff", os.O_CREAT))
