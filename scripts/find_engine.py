"""Ends well if a container engine answers where agentics looks for one. Otherwise says what was tried, and its exit
status tells why: 3, there is none; 4, what is there is silent; 5, what somebody named (as DOCKER_HOST does) is silent;
6, this user may not use the socket of one that is there.
"""

import os
import sys
from pathlib import Path

from agentics.errors import EngineMissing
from agentics.sandbox.docker.engine import connect_api
from agentics.sandbox.docker.hosts import candidates
from agentics.sandbox.settings import EngineSettings

NONE, SILENT, CHOSEN_SILENT, FORBIDDEN = 3, 4, 5, 6
PATIENCE_S = 10

try:
    connect_api(settings=EngineSettings(api_timeout_s=PATIENCE_S)).close()
except EngineMissing as error:
    sys.stderr.write(f"{error.message}\n")
    if error.code == "engine_forbidden":
        sys.exit(FORBIDDEN)
    found = list(candidates(None, os.environ, Path.home()))
    sys.exit(CHOSEN_SILENT if any(one.chosen for one in found) else SILENT if found else NONE)
