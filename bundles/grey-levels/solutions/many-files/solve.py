"""VIOLATION: leaves far more files than may be kept, and no picture at all."""

import os
from pathlib import Path

outputs = Path(os.environ["AGENTICS_OUTPUT_DIR"])
for number in range(9_000):
    (outputs / f"tile-{number:05}").write_bytes(b"")
