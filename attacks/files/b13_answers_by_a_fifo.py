# B13: the answer is a FIFO, so that a reader would wait
# ends: failed all_samples_failed participant
# runsc: failed verdict_fail -
import os

os.mkfifo("/io/output/answer.txt")
