"""An evaluator of every topology that knows secrets, talks about them, and then does what the solution's word says."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

asked = dict(zip(sys.argv[1::2], sys.argv[2::2]))
mode, output, challenge = asked["--mode"], Path(asked["--output-path"]), Path(asked["--challenge-dir"])
official = mode == "official"
# A validation knows nothing that is private: what its evaluator says may be shown.
word_of = "cnry" if official else "plain"
secret = (challenge / "cnrydir" / "cnryanswers.json").read_text() if official else "nothing"
if not official and (challenge / "cnrydir").exists():
    sys.exit("private data in a validation")
if "--solution-runs-dir" in asked:
    runs = json.loads(Path(asked["--runs-file"]).read_text())["runs"]
    words = [Path(asked["--solution-runs-dir"], run["run_name"], "stdout.txt").read_text().strip() for run in runs]
    word = words[0]
    print(f"{word_of}log", secret)
elif "--session-file" in asked:
    print("go", flush=True)
    word = sys.stdin.readline().strip()
else:
    command = [*shlex.split(os.environ["AGENTICS_RUN_AS_SOLUTION"]), "sh", "run.sh"]
    done = subprocess.run(command, cwd=asked["--workspace-dir"], capture_output=True, input=b"go\n", timeout=15)
    word = done.stdout.decode().strip()
    print(f"SEEN{done.stderr.decode(errors='replace')}SEEN")
    print(f"{word_of}log", secret)
print(f"{word_of}stderr", secret, file=sys.stderr, flush=True)
metrics, more = ["share"], {}
if word == "crash":
    raise RuntimeError(f"{word_of}traceback {secret}")
if word == "missing":
    sys.exit(0)
if word == "invalid":
    metrics, more = (["share", "cnrymetric"], {"cnrykey": secret}) if official else (["share", "other"], {"key": 1})
share = 0.0 if word == "wrong" else 1.0
case = {"case_name": "cnryresultcase" if official else "first", "status": "passed", "score": share}
result = {
    "status": {"wrong": "failed", "error": "error"}.get(word, "passed"),
    "mode": mode,
    "aggregate_metrics": [{"metric_name": metric, "value": share} for metric in metrics],
    "run_metrics": [{"run_name": "cnryrunmetrics" if official else "first", "metrics": []}],
    "public_results": [{**case, "message": f"cnrymessage {secret}" if official else "fine", "more": f"{word_of}extra"}],
    f"{mode}_summary": {"score": share, "passed": int(share), "total": 1},
    "logs": [f"{word_of}resultlog {secret}"],
    **more,
}
output.write_text(json.dumps(result))
