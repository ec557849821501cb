# B13: stdout.txt becomes a link to the right answers
# ends: failed all_samples_failed participant
import os

os.unlink("/io/stdout.txt")
os.symlink("/challenge/private-benchmark/answers.json", "/io/stdout.txt")
