# B25: every answer at once, before any question, and then it listens
# ends: failed verdict_fail -
import sys

print("42\n" * 100, flush=True)
sys.stdin.read()
