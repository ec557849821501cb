# C32: dies in a way that would leave a core
# ends: failed all_samples_failed participant
# quick: no
import os
import resource

try:
    resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
except (OSError, ValueError):
    pass
os.chdir("/io/output")
os.abort()
