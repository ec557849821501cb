"""An evaluator that goes wrong: it leaves what the solution's first case names, a file of public/results/ or a thing."""

import json
import os
import sys
from pathlib import Path

asked = dict(zip(sys.argv[1::2], sys.argv[2::2]))
output, challenge = Path(asked["--output-path"]), Path(asked["--challenge-dir"])
runs = json.loads(Path(asked["--runs-file"]).read_text())["runs"]
word = Path(asked["--solution-runs-dir"], runs[0]["run_name"], "stdout.txt").read_text().strip()
if word == "link":
    output.symlink_to("/challenge/public/results/fine")
elif word == "hard-link":
    (output.parent / "other").write_bytes((challenge / "public/results/fine").read_bytes())
    os.link(output.parent / "other", output)
elif word == "fifo":
    os.mkfifo(output)
elif word == "directory":
    output.mkdir()
elif word == "sparse":
    with output.open("wb") as file:
        file.truncate(5 << 20)
elif word == "environ":
    output.symlink_to("/proc/self/environ")
elif word == "exit":
    output.write_bytes((challenge / "public/results/fine").read_bytes())
    sys.exit(3)
elif word == "deep":
    output.write_text("[" * 100_000 + "]" * 100_000)
elif word == "digits":
    output.write_text((challenge / "public/results/fine").read_text().replace("0.5", "9" * 5000))
elif word != "nothing":
    output.write_bytes((challenge / "public/results" / word).read_bytes())
