# C32, E49: /dev/shm full, where an evaluator's semaphores lie as well: the evaluator cannot go on, and is not to blame
# ends: failed shared_container_exhausted participant
import time

for number in range(100):
    try:
        with open(f"/dev/shm/{number}", "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    except OSError:
        pass
time.sleep(1000)
