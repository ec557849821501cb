# H63, A9: a program that stops its own clocks is timed by ours
# ends: failed all_samples_failed participant
# quick: no
import time

time.time = time.monotonic = time.perf_counter = lambda: 0.0
time.sleep(10_000)
