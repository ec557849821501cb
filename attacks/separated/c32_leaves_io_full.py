# C32: leaves its place filled to the last block
# ends: failed all_samples_failed participant
# quick: no
import honest

honest.answer()
try:
    for number in range(1000):
        with open(f"/io/output/filler{number}", "wb", buffering=0) as file:
            for _ in range(100):
                file.write(b"x" * 65536)
except OSError:
    pass
