# A5, C32: a build that fills its workspace
# phase: build
# ends: failed solution_build_failed participant
# quick: no
for number in range(100):
    with open(f"/workspace/filler{number}", "wb", buffering=0) as file:
        for _ in range(150):
            if file.write(b"x" * 65536) < 65536:
                raise OSError("full")
