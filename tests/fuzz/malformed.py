"""Reads many malformed documents in one process, and counts what came of them.

    python -m tests.fuzz.malformed --count 100000 --seed 1

Ends with 1 at the first document that ends in anything but an answer; the document is written beside it.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz import samples
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import DOCUMENTS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("malformed.bin"), help="where a document that fails is kept")
    asked = parser.parse_args()
    random, documents = Random(asked.seed), samples.documents()
    kinds = sorted({kind for kind, _ in documents})
    by_kind = {kind: [text for each, text in documents if each == kind] for kind in kinds}
    outcomes: Counter[str] = Counter()
    slowest, began, before = (0.0, ""), time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(asked.count):
        kind = kinds[number % len(kinds)]
        text = mutated(random.choice(by_kind[kind]), random)
        start = time.process_time()
        try:
            outcomes[DOCUMENTS[kind](text)] += 1
        except Exception:
            asked.keep.write_bytes(text)
            print(f"document {number}, a {kind}, is kept as {asked.keep}", file=sys.stderr)
            raise
        slowest = max(slowest, (time.process_time() - start, f"document {number}, a {kind} of {len(text)} bytes"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for code, count in outcomes.most_common():
        print(f"{count:8} {code}")
    print(f"{asked.count} documents of {len(kinds)} kinds, {time.process_time() - began:.0f} s of processor time")
    print(
        f"the slowest took {slowest[0]:.2f} s: {slowest[1]}; memory grew by {(peak - before) >> 10} MiB to {peak >> 10}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
