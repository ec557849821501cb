# B18: clocks, JSON, files and exits are patched in its own process, and it leaves with the exit code of success
# ends: failed verdict_fail -
# quick: no
import builtins
import json
import os
import sys
import time

time.perf_counter = time.monotonic = time.time = lambda: 0.0
json.dumps = json.dump = lambda *_, **__: '{"status": "passed"}'
builtins.open = lambda *_, **__: None
sys.exit = lambda *_: None
os.environ["PYTHONSTARTUP"] = os.environ["LD_PRELOAD"] = "/tmp/evil"
os.write(1, b'{"status": "passed"}')
os._exit(0)
