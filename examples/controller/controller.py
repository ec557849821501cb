"""A controller: runs one experiment for each variant, all at once, and does not wait for those that lose.

    python controller.py baseline.json candidate.json --patience 2 --set temperature=0

A variant whose trials fail `--patience` times in a row is paused, and its last trial is forked with other
bindings, those of `--set`. Where the fork does better, the run is resumed: it was bad luck; else it is killed.

Nothing is known here but what a run directory says: `runtime/events.jsonl`, `runtime/run_control.json`, `trials/` and
`forks/` show everything that this program did. Each step is a line of JSON on stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentics.client import Client, ClientError, RunResponse
from agentics.client.responses import Forked, Paused
from agentics.model.run.event import RunnerEvent, TrialFinished

INPUT_ONLY = "step:0"
"""From the trial's input on: whatever checkpoint there may be comes later."""


@dataclass
class Losses:
    """Counts trials that did not succeed, since the last one that did."""

    patience: int
    count: int = 0

    def lost(self, event: RunnerEvent) -> bool:
        """Whether this event is the one that is too much."""
        if not isinstance(event, TrialFinished) or event.status not in ("completed", "failed"):
            return False
        self.count = 0 if event.outcome == "success" else self.count + 1
        return self.count == self.patience


@dataclass
class Controller:
    client: Client
    output_path: str
    patience: int
    bindings: Mapping[str, Any]

    async def control(self, file: str) -> bool:
        """Follow one experiment to its end; whether it got there with its policy met."""
        losses = Losses(self.patience)
        stream = self.client.async_run_stream("experiment", "run", file, output_path=self.output_path)
        try:
            async for item in stream:
                if isinstance(item, RunResponse):
                    told("ended", item.run.run_dir, exit_code=item.exit_code)
                    return item.ok
                if losses.lost(item):
                    # The run goes on meanwhile, and so do the others; its events wait for us.
                    await asyncio.to_thread(self.decide, item.run_dir, item.trial_id)
        except ClientError as error:
            told("failed", file, code=error.code, message=error.message, exit_code=error.exit_code)
        return False

    def decide(self, run: str, trial_id: str) -> None:
        """Pause, try the trial once more with other bindings, and go on or give up."""
        try:
            paused = self.client.pause(run, label="losing").pause
        except ClientError as error:
            told("not paused", run, code=error.code)  # it ended by itself just now
            return
        told("paused", run, mode=paused.pause_mode, trials=list(paused.trial_ids))
        try:
            fork = self.client.fork(run, trial_id, INPUT_ONLY, bindings=self.bindings).fork
            told("forked", run, fork_dir=fork.fork_dir, parent=trial_id)
            better = succeeded(fork)
        except ClientError as error:
            told("not forked", run, code=error.code)
            better = False
        if better:
            self.resume(run, paused)
        else:
            self.client.kill(run)
            told("killed", run)

    def resume(self, run: str, paused: Paused) -> None:
        mode = self.client.resume(run).resume.mode
        told("resumed", run, trials=list(paused.trial_ids), mode=mode)


def succeeded(fork: Forked) -> bool:
    """What the fork's own result says; a fork without one did not."""
    try:
        result = json.loads((Path(fork.fork_dir or "") / "trial_1" / "result.json").read_bytes())
    except FileNotFoundError:
        return False
    return bool(result["outcome"] == "success")


def told(step: str, run: str, **facts: object) -> None:
    print(json.dumps({"step": step, "run": run, **facts}), flush=True)


def binding(text: str) -> tuple[str, Any]:
    """`KEY=VALUE`; a value that is not JSON is a text."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        msg = f"{text!r} is not KEY=VALUE"
        raise argparse.ArgumentTypeError(msg)
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


async def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("experiments", nargs="+", metavar="FILE", help="an experiment file; one variant in each")
    parser.add_argument("--patience", type=int, default=2, metavar="N", help="failures in a row that are too many")
    parser.add_argument("--set", type=binding, action="append", default=[], metavar="K=V", help="bindings of forks")
    parser.add_argument("--output-path", default="outputs", help="where run directories go")
    given = parser.parse_args(words)
    controller = Controller(Client(), given.output_path, given.patience, dict(given.set))
    good = await asyncio.gather(*(controller.control(file) for file in given.experiments))
    return 0 if any(good) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
