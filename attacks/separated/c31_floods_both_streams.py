# C31: both streams at once, no newline, until there is no room
# ends: failed all_samples_failed participant
import os
import threading


def flood(descriptor):
    while True:
        os.write(descriptor, b"\xff" * 65536)


threads = [threading.Thread(target=flood, args=(each,)) for each in (1, 2)]
for each in threads:
    each.start()
for each in threads:
    each.join()
os._exit(1)
