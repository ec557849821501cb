"""Runs a piece of Python as a user without privileges: as ourselves, or as somebody else where we are root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

NOBODY = 65534
_PREFIX = """
import codecs, json, os, resource, sys, tracemalloc
from pathlib import Path
from agentics.archive.hostile import DIR, remove, walk
from agentics.sandbox.collect import Caps, collect, make_readable, usage
from agentics.sandbox.places import Scratch, dead, reap, set_aside
os.chdir(sys.argv[1])  # while we still may
codecs.lookup("unicode_escape")  # another user may not read this Python's own files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)

def deepen(root, levels, name="d"):
    os.makedirs(root, exist_ok=True)
    at = os.open(root, DIR)
    for _ in range(levels):
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, DIR, dir_fd=at)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
        os.close(at)
        at = inner
    os.close(at)
"""


def as_plain_user(folder: Path, script: str) -> object:
    """What the script prints, as JSON. It works in `folder`, which is its own; `deepen` makes a deep tree."""
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    argv = [sys.executable, "-c", _PREFIX + textwrap.dedent(script), str(folder)]
    done = subprocess.run(argv, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
