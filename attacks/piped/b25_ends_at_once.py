# B25: an end of file instead of an answer
# ends: failed all_samples_failed participant
import sys

sys.exit(3)
