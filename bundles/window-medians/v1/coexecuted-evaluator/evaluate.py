"""Judge of window-medians: times the baseline, times the solution on the same inputs, then checks every answer.

The solution runs in a process of its own, under another user where the platform can do that. It is timed by this
process's clock and ended before its answers are looked at. The baseline is timed before it starts: what runs at the
same time could slow the baseline down, and so look fast.
"""

import argparse
import gc
import json
import math
import statistics
import sys
from bisect import bisect_left, insort
from pathlib import Path

from calls import Failed, call, launcher, worker
from inputs import values

START_SECONDS = 10.0  # to start, to import the solution, and for the first call, which is not timed
CALL_SECONDS = 4.0
SLOWEST_SPEEDUP = 0.5  # twice the baseline's time: below that it is no improvement and no noise either


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--challenge-dir", type=Path, required=True)
    parser.add_argument("--workspace-dir", type=Path, required=True)
    parser.add_argument("--output-path", type=Path, required=True)
    parser.add_argument("--mode", choices=("validation", "official"), required=True)
    parser.add_argument("--target", required=True)
    return parser.parse_args()


def expected(data: list, window: int) -> list:
    inside = sorted(data[:window])
    result = [inside[window // 2]]
    for gone, new in zip(data, data[window:]):
        del inside[bisect_left(inside, gone)]
        insort(inside, new)
        result.append(inside[window // 2])
    return result


def time_all(process, cases: dict) -> tuple:
    """Every round's calls as (seconds, answer); and the reason why there are no more, or none."""
    timed = []
    try:
        for at, each in enumerate(cases["rounds"]):
            for number in range(-1, each["calls"]):
                data = values(cases["seed"], at, number, each["length"])
                outcome = call(process, data, each["window"], START_SECONDS if number < 0 else CALL_SECONDS)
                if number < 0:
                    timed.append([])  # warm-up
                else:
                    timed[-1].append(outcome)
    except Failed as reason:
        return timed, str(reason)
    return timed, ""


def is_right(answer: bytes, right: list) -> bool:
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return False
    # `true` equals 1 and `1.0` equals 1, but they are no medians of integers.
    return isinstance(said, list) and all(type(value) is int for value in said) and said == right


def check(cases: dict, timed: list) -> list:
    """For each round that was timed to its end, whether all its answers are right."""
    verdicts = []
    for at, (each, outcomes) in enumerate(zip(cases["rounds"], timed)):
        inputs = [values(cases["seed"], at, number, each["length"]) for number in range(len(outcomes))]
        answers = [answer for _, answer in outcomes]
        verdicts.append(all(is_right(a, expected(data, each["window"])) for a, data in zip(answers, inputs)))
    return verdicts


def median_seconds(outcomes: list) -> float:
    return statistics.median(seconds for seconds, _ in outcomes)


def round_result(each: dict, base: list, outcomes: list, right: bool) -> dict:
    if len(outcomes) < each["calls"]:
        return {"case_name": each["name"], "status": "failed", "score": 0.0, "message": "not completed"}
    ratio = median_seconds(base) / median_seconds(outcomes)
    message = f"{ratio:.2f}x the baseline's speed" if right else "wrong-answer"
    return {
        "case_name": each["name"],
        "status": "passed" if right else "failed",
        "score": ratio if right else 0.0,
        "message": message,
    }


def result(mode: str, cases: dict, baseline: list, timed: list, reason: str) -> dict:
    right = check(cases, timed)
    padding = len(cases["rounds"]) - len(timed)
    rows = zip(cases["rounds"], baseline, timed + [[]] * padding, right + [False] * padding)
    rounds = [round_result(*row) for row in rows]
    solved = sum(1 for each in rounds if each["status"] == "passed")
    speedup = math.exp(statistics.fmean(math.log(each["score"]) for each in rounds)) if solved == len(rounds) else 0.0
    if speedup and speedup < SLOWEST_SPEEDUP:
        reason = f"too-slow: {speedup:.2f}x the baseline's speed"
    elif not reason and not speedup:
        reason = "wrong-answer"
    score = 0.0 if reason else speedup
    slowest = max((seconds for outcomes in timed for seconds, _ in outcomes), default=0.0)
    return {
        "status": "failed" if reason else "passed",
        "mode": mode,
        "aggregate_metrics": [
            {"metric_name": "speedup", "value": score},
            {"metric_name": "slowest_call_ms", "value": slowest * 1000},
        ],
        "public_results": rounds,
        f"{mode}_summary": {"score": score, "passed": solved, "total": len(rounds)},
        "logs": [f"outcome: {reason or 'passed'}", f"solution user of its own: {bool(launcher())}"],
    }


def write(path: Path, value: dict) -> None:
    staging = path.with_name(path.name + ".part")
    staging.unlink(missing_ok=True)
    with staging.open("x", encoding="utf-8") as file:
        json.dump(value, file)
    staging.replace(path)


def main() -> None:
    asked = arguments()
    place = "public" if asked.mode == "validation" else "private-benchmark"
    cases = json.loads((asked.challenge_dir / place / "cases.json").read_text(encoding="utf-8"))
    gc.disable()  # no pause of this process in somebody's time
    with worker([], asked.challenge_dir / "public" / "baseline.py", asked.challenge_dir) as process:
        baseline, trouble = time_all(process, cases)
    if trouble:
        sys.exit(f"the baseline failed: {trouble}")
    with worker(launcher(), asked.workspace_dir / "solution.py", asked.workspace_dir) as process:
        timed, reason = time_all(process, cases)
    write(asked.output_path, result(asked.mode, cases, baseline, timed, reason))


if __name__ == "__main__":
    main()
