"""The inputs of every call, made from the seed: no two calls share one."""

import hashlib
import random


def values(seed: str, at: int, call: int, length: int) -> list:
    digest = hashlib.sha256(f"{seed}/{at}/{call}".encode()).digest()
    source = random.Random(digest)
    return [source.randrange(1_000_000) for _ in range(length)]
