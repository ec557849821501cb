# C30: more memory than it has, through the heap and through the places that live in memory
# ends: failed all_samples_failed participant
# quick: no
held = [bytearray(16 << 20) for _ in range(64)]
for each in held:
    each[::4096] = b"x" * len(each[::4096])
print(len(held))
