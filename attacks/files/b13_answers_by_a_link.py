# B13: the answer is a link to the evaluator's own answers
# ends: failed all_samples_failed participant
import os

os.symlink("/challenge/private-benchmark/answers.json", "/io/output/answer.txt")
