"""Answers the first question, closes its stdout, and lives on."""

import os
import signal

input()
tag = input().split()[1]
os.write(1, f"{tag} 1\n".encode())
os.close(1)
signal.pause()
