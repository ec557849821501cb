"""Asks for doubles over the pipe, reads each answer up to a cap, and always leaves a result."""

import argparse
import json
import os
import select
import time
from pathlib import Path

ANSWER_BYTES = 4096
PATIENCE_S = 60  # above the participant's own limit


def main():
    asked = arguments()
    secret = asked.challenge_dir / ("private-benchmark" if asked.mode == "official" else "public") / "answers.json"
    numbers = json.loads(secret.read_text())["numbers"]
    reader, right = Lines(0), 0
    padding = json.loads(asked.session_file.read_text())["metadata"]["padding"]
    for number in numbers:
        if not say(f"{number} {'x' * padding}\n"):
            break
        if reader.line() != str(2 * number).encode():
            break
        right += 1
    share = right / len(numbers)
    result = {
        "status": "passed" if share == 1 else "failed",
        "mode": asked.mode,
        "aggregate_metrics": [{"metric_name": "share", "value": share}],
        f"{asked.mode}_summary": {"score": share, "passed": right, "total": len(numbers)},
    }
    asked.output_path.write_text(json.dumps(result))


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("challenge-dir", "session-file", "session-input-dir", "output-path"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--mode", required=True)
    parser.add_argument("--target", required=True)
    return parser.parse_args()


def say(text):
    rest = memoryview(text.encode())
    try:
        while rest:
            rest = rest[os.write(1, rest) :]
    except BrokenPipeError:
        return False
    return True


class Lines:
    """Lines of a descriptor; None for what is no line: the end, too much, or too late."""

    def __init__(self, descriptor):
        self.descriptor, self.held = descriptor, b""

    def line(self):
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self.held:
            left = max(0.0, deadline - time.monotonic())
            if len(self.held) > ANSWER_BYTES or not select.select([self.descriptor], [], [], left)[0]:
                return None
            data = os.read(self.descriptor, 65536)
            if not data:
                return None
            self.held += data
        said, _, self.held = self.held.partition(b"\n")
        return said


if __name__ == "__main__":
    main()
