"""Answers with bytes that are no text at all."""

import sys

input()
tag = input().split()[1].encode()
sys.stdout.buffer.write(b"\xff\xfe\x00" + tag + b" \x1b[31m1\n\r\n\n" + bytes(range(256)) + b"\n")
sys.stdout.flush()
sys.stdin.read()
