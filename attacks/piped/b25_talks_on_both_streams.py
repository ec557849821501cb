# B25: standard error between the answers, and much of it
# ends: passed - -
import sys

for line in sys.stdin:
    sys.stderr.write("x" * 300_000 + "\n42\n")
    sys.stderr.flush()
    print(2 * int(line.split()[0]), flush=True)
    sys.stderr.write("{}\n" * 1000)
