# B16: NUL, carriage returns, half a character, escape sequences, a forged record and a line of ten megabytes
# ends: failed verdict_fail -
import sys

import honest

asked = honest.question()
out = sys.stdout.buffer
out.write(b"\0\r\x1b]52;c;aGk=\x07\xe2\x82\xff\xfe" + b'{"run_name": "x", "exit_code": 0}\r')
out.write(b"===== evaluator:result.logs =====\n" + b"x" * (10 << 20) + b"\n")
out.write(str(2 * asked["n"]).encode())
