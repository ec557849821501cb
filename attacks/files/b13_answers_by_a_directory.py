# B13: the answer is a directory
# ends: failed verdict_fail -
import os

os.mkdir("/io/output/answer.txt")
