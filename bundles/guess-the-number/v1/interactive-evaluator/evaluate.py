"""Judge of guess-the-number: plays the session's cases over its own stdin and stdout, one interactor process each.

Whatever the participant does ends in a result and exit status 0. Only the judge's own trouble (no compiler, a session
that makes no sense) ends otherwise.
"""

import argparse
import json
import os
import secrets
import select
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMPILE_SECONDS = 60
CASE_SECONDS = 30  # above the participant's own limit: the platform ends a participant who hangs, not the judge
DRAIN_SECONDS = 20


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--challenge-dir", type=Path, required=True)
    parser.add_argument("--session-file", type=Path, required=True)
    parser.add_argument("--session-input-dir", type=Path, required=True)
    parser.add_argument("--output-path", type=Path, required=True)
    parser.add_argument("--mode", choices=("validation", "official"), required=True)
    parser.add_argument("--target", required=True)
    return parser.parse_args()


def say(text: str) -> None:
    try:
        os.write(1, f"{text}\n".encode())
    except OSError:
        pass  # the participant is gone; the cases that are missing will say so


def compile_interactor(directory: str) -> str:
    binary = str(Path(directory, "interactor"))
    command = ["g++", "-std=c++17", "-O1", "-o", binary, str(HERE / "interactor.cpp")]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=COMPILE_SECONDS)
    return binary


def play(interactor: str, case_input: Path, directory: str) -> tuple[bool, int, str]:
    """One case: whether it was solved, the guesses, and the reason if it was not."""
    tag = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(8))
    report = Path(directory, "report.txt")
    report.unlink(missing_ok=True)
    try:
        code = subprocess.run([interactor, str(case_input), tag, str(report)], timeout=CASE_SECONDS).returncode
    except subprocess.TimeoutExpired:
        return False, 0, "no-answer-in-time"
    if code not in (0, 1):
        raise SystemExit(f"the interactor failed with {code} on {case_input.name}")
    guesses, *reason = report.read_text(encoding="ascii").split()
    return code == 0, int(guesses), " ".join(reason)


def play_all(cases: list, inputs: Path) -> list:
    """Play until a case is not solved; what follows it counts as not solved either."""
    with tempfile.TemporaryDirectory() as directory:
        interactor = compile_interactor(directory)
        say(f"cases {len(cases)}")
        played = []
        for case in cases:
            played.append(play(interactor, inputs / case["input"], directory))
            if not played[-1][0]:
                break
        else:
            say("done")
    return played + [(False, 0, "not-played")] * (len(cases) - len(played))


def result(mode: str, cases: list, played: list) -> dict:
    solved = sum(1 for found, _, _ in played if found)
    share = solved / len(cases)
    return {
        "status": "passed" if solved == len(cases) else "failed",
        "mode": mode,
        "aggregate_metrics": [
            {"metric_name": "solved_share", "value": share},
            {"metric_name": "guesses", "value": sum(guesses for found, guesses, _ in played if found)},
        ],
        "public_results": [
            {
                "case_name": case["case_name"],
                "status": "passed" if found else "failed",
                "score": 1.0 if found else 0.0,
                "message": f"found after {guesses} guesses" if found else reason,
            }
            for case, (found, guesses, reason) in zip(cases, played)
        ],
        f"{mode}_summary": {"score": share, "passed": solved, "total": len(cases)},
    }


def write(path: Path, value: dict) -> None:
    staging = path.with_name(path.name + ".part")
    staging.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    staging.replace(path)


def drain() -> None:
    """Read what the participant still sends, until it stops or the platform stops it.

    Otherwise a participant who was still writing would die of a broken pipe, and one who never ends would get away
    with it.
    """
    os.close(1)
    deadline = time.monotonic() + DRAIN_SECONDS
    while select.select([0], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if not os.read(0, 1 << 20):
            return


def main() -> None:
    asked = arguments()
    cases = json.loads(asked.session_file.read_text(encoding="utf-8"))["metadata"]["cases"]
    played = play_all(cases, asked.session_input_dir)
    verdict = result(asked.mode, cases, played)
    write(asked.output_path, verdict)
    if verdict["status"] == "failed":
        drain()


if __name__ == "__main__":
    main()
