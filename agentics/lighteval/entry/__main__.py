"""`python -m agentics.lighteval.entry EXCHANGE [--no-preload] [--online]`: a worker, until it is told to shut down."""

from __future__ import annotations

import sys
from pathlib import Path

from agentics.lighteval.entry import serve

if __name__ == "__main__":
    flags = sys.argv[2:]
    sys.exit(serve.main(Path(sys.argv[1]), preload="--no-preload" not in flags, online="--online" in flags))
