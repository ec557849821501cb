# C30: all the memory that both share: who asks for it is who dies of it
# ends: failed verdict_fail -
held = []
while True:
    held.append(bytearray(b"x" * (8 << 20)))
