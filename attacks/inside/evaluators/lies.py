"""An evaluator that goes wrong in the way that the solution names: a program of public/lies/."""

import json
import runpy
import sys
from pathlib import Path

asked = dict(zip(sys.argv[1::2], sys.argv[2::2]))
runs = json.loads(Path(asked["--runs-file"]).read_text())["runs"]
word = Path(asked["--solution-runs-dir"], runs[0]["run_name"], "stdout.txt").read_text().strip()
runpy.run_path(str(Path(asked["--challenge-dir"], "public/lies", f"{word}.py")))
