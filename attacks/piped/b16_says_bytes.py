# B16: NUL, half a character, a line without end
# ends: failed verdict_fail -
import os

os.write(1, b"\0\xe2\x82\r" + b"9" * 5_000_000)
