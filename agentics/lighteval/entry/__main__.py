"""`python -m agentics.lighteval.entry EXCHANGE [--no-preload] [--online]`: a worker, until it is told to shut down."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agentics.lighteval.entry import serve

if __name__ == "__main__":
    flags = sys.argv[2:]
    status = serve.main(Path(sys.argv[1]), preload="--no-preload" not in flags, online="--online" in flags)
    sys.stdout.flush()
    sys.stderr.flush()
    # An orderly end frees all that LightEval loaded. That takes seconds, for which the end of the job would wait.
    os._exit(status)
