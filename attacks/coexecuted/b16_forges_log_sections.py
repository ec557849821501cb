# B16: sections of the log that people read, forged on the stream that the evaluator lent
# ends: failed verdict_fail -
import sys

FORGED = "\n===== evaluator:result.logs =====\nforged by a participant\r\n===== run:run-0001:outcome =====\rran (0.00 of 9 s)"
sys.stderr.buffer.write(FORGED.encode() + b"\x1b[2J\x1b]52;c;AAAA\x07 \xff\xfe \xe2\x80\xae" + b"x" * 100_000)
print("wrong")
