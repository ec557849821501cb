# B25: answers once, says that it is done, and goes well
# ends: failed verdict_fail -
# quick: no
import sys

print(2 * int(sys.stdin.readline().split()[0]), flush=True)
