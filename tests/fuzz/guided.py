"""Fuzzes one target, guided by what its bytes reach: atheris, which `make setup` does not install.

    pip install -r tests/fuzz/requirements.txt
    tests/fuzz/run TARGET --seconds 3600

TARGET is json, zip, manifests, events or collector. Ends with other than 0 at a finding, whose bytes are kept in
--keep; `tests/fuzz/run TARGET --replay FILE` runs it again. At the end libFuzzer tells the executions and the coverage.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["agentics"]):
    from tests.fuzz.targets import DOCUMENTS, TARGETS

from tests.fuzz import samples

_SHORT = 700
_WORDS = ("null", "true", "false", "NaN", "1e999", "-0", "\\\\ud800", "{}", "[]", '\\"')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="where findings are written")
    parser.add_argument("--replay", type=Path, help="run these bytes only")
    asked = parser.parse_args()
    target = TARGETS[asked.target]
    if asked.replay is not None:
        print(target(asked.replay.read_bytes()))
        return
    asked.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FUZZ_TEMP"] = str(Path(folder, "trees"))
        Path(folder, "trees").mkdir()
        words, corpus = Path(folder, "words"), Path(folder, "corpus")
        words.write_text("".join(f'"{word}"\n' for word in _WORDS))
        corpus.mkdir()
        for number, text in enumerate(seeds(asked.target)):
            (corpus / str(number)).write_bytes(text)
        flags = ("-timeout=30", "-rss_limit_mb=2048", "-max_len=8192", "-print_final_stats=1", "-report_slow_units=5")
        own = (f"-max_total_time={asked.seconds}", f"-seed={asked.seed}", f"-artifact_prefix={asked.keep}/")
        atheris.Setup([sys.argv[0], *flags, *own, f"-dict={words}", str(corpus)], target)
        atheris.Fuzz()


def seeds(target: str) -> list[bytes]:
    """What the fuzzer begins with. Short texts of JSON: what is between the brackets costs time and reaches nothing."""
    names = list(DOCUMENTS)
    known = {
        "json": [text for _, text in samples.documents() if len(text) < _SHORT],
        "manifests": [bytes([names.index(kind)]) + text for kind, text in samples.documents()],
        "zip": samples.archives(),
        "events": samples.EVENTS,
        "collector": [bytes(range(64)), b"\x00\x01\x04\x00\x84\x01\x03\x02"],
    }
    return known[target]


if __name__ == "__main__":
    main()
