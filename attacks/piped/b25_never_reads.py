# B25, C35: both pipes full, nobody reads
# ends: failed verdict_fail -
import os

while True:
    os.write(1, b"0" * 65536)
