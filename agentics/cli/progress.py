"""Shows a run while it goes on: a live region on a terminal, one line for each change elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from agentics.cli.console import err, is_interactive, middle, one_line
from agentics.pipeline.progress import Observer, Progress, silent
from agentics.sandbox.steps import STILL

_MARKS = {"passed": "[green]✓[/]", "degraded": "[yellow]≈[/]", "skipped": "[dim]-[/]", "no_samples": "[yellow]0[/]"}
_STAGES = {
    "prepare": "unpacking the solution",
    "solution_setup": "solution setup",
    "solution_build": "solution build",
    "challenge_setup": "challenge setup",
    "cases": "cases",
    "session": "session",
    "evaluate": "evaluating",
    "read_result": "reading the result",
    "ask_model": "asking the model",
    "judge_answers": "asking the judges",
    "score_answers": "scoring",
    "keep_details": "writing the details",
}


_QUIET = frozenset({"stage_started", "stage_finished", "case_finished", "samples_done", "image_step"})
"""What a live region shows by itself."""


_GAP, _LEAST_NAME = 2, 12


@contextmanager
def shown(*, quiet: bool, verbose: bool) -> Iterator[Observer]:
    """The observer for this terminal, for as long as the run lasts."""
    if quiet:
        yield silent
    elif is_interactive() and not verbose:
        board = Board()
        with Live(get_renderable=board.render, console=err, refresh_per_second=8, transient=True) as live:
            yield lambda event: board.tell(event, live)
    else:
        yield lambda event: _line(event, verbose=verbose)


@dataclass
class Active:
    """A trial that is running, or an image that is being built: where it is, since when, and what bounds it."""

    title: str
    stage: str = ""
    since: float = field(default_factory=time.monotonic)
    limit_s: float | None = None
    done: int = 0
    total: int = 0
    failed: int = 0


@dataclass
class Board:
    """What the live region shows."""

    active: dict[str, Active] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, event: Progress, live: Live) -> None:
        with self.guard:
            self._note(event)
        text = _sentence(event)
        if text is not None and event.kind not in _QUIET:
            live.console.print(text)

    def render(self) -> Table:
        with self.guard:
            rows = [(trial.title, *_columns(trial)) for trial in self.active.values()]
        # The mark, the gaps between five columns, and everything but the name, which gives way.
        others = 1 + 4 * _GAP + sum(max((len(row[index]) for row in rows), default=0) for index in (1, 2, 3))
        grid = Table.grid(padding=(0, _GAP))
        for title, *rest in rows:
            name = Text(middle(title, max(_LEAST_NAME, err.width - others)), "bold", no_wrap=True)
            grid.add_row(Text("▶", "cyan"), name, *(Text(each, no_wrap=True) for each in rest))
        return grid

    def _note(self, event: Progress) -> None:
        trial, facts = event.trial_id or "", event.facts
        if event.kind == "image_step":
            image = self.active.setdefault(f"image {facts['image']}", Active(title=f"image {facts['image']}"))
            # How long it takes stands in the region already.
            image.stage = image.stage if str(facts["text"]).startswith(STILL) else str(facts["text"])
        elif event.kind == "image_over":
            self.active.pop(f"image {facts['image']}", None)
        elif event.kind == "trial_started":
            self.active[trial] = Active(title=_title(event))
        elif event.kind == "trial_finished":
            self.active.pop(trial, None)
        elif trial in self.active and event.kind == "stage_started":
            stage = str(facts["stage"])
            total = self.active[trial].total if stage == "cases" else 0
            limit = facts.get("limit_s")
            self.active[trial] = Active(
                title=_title(event), stage=_STAGES.get(stage, stage), limit_s=limit, total=total
            )
        elif trial in self.active and event.kind == "setup_waiting":
            self.active[trial] = Active(title=_title(event), stage="waiting for the setup")
        elif trial in self.active and event.kind in ("case_finished", "samples_done"):
            active = self.active[trial]
            active.done, active.total = int(facts["done"]), int(facts["total"])
            active.failed = sum(facts.get("failures", {}).values())


def _columns(trial: Active) -> tuple[str, str, str]:
    """Where a trial is, how many cases are over, and its time beside its limit."""
    elapsed = f"{time.monotonic() - trial.since:.1f}"
    limit = f"/{trial.limit_s:g} s{' each' * (trial.stage == 'cases')}" if trial.limit_s else " s"
    failed = f", {trial.failed} failed" if trial.failed else ""
    return trial.stage, f"{trial.done}/{trial.total}{failed}" if trial.total else "", f"{elapsed}{limit}"


def _line(event: Progress, *, verbose: bool) -> None:
    if event.kind == "stage_finished" and not verbose:
        return
    text = _sentence(event)
    if text is not None:
        err.print(text)


def _sentence(event: Progress) -> str | None:
    facts = {key: escape(one_line(_text(value))) for key, value in event.facts.items() if value is not None}
    say = _SENTENCES.get(event.kind)
    return say(escape(_title(event)), facts) if say else None


def _text(value: object) -> str:
    """A fact as people read it; counts by name are `name count, name count`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return str(value)


def _stage(title: str, facts: Mapping[str, str]) -> str | None:
    if facts["stage"] in ("prepare", "read_result", "score_answers", "keep_details"):
        return None
    limit = f" (limit {facts['limit_s']} s)" if "limit_s" in facts else ""
    return f"{title}: {_STAGES.get(facts['stage'], facts['stage'])}{limit}"


def _setup(title: str, facts: Mapping[str, str]) -> str | None:
    if facts["reused"] == "True":
        return f"{title}: challenge setup: reused (made {ago(facts['made_at'], datetime.now(UTC))})"
    return f"{title}: challenge setup: [yellow]{facts['note']}[/]" if "note" in facts else None


def ago(when: str, now: datetime) -> str:
    """How long ago, in the largest unit that fits: `3 h ago`. A time that is not over yet, as after a clock was set
    back, is `just now`."""
    seconds = int((now - datetime.fromisoformat(when)).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return "just now"


def _case(title: str, facts: Mapping[str, str]) -> str:
    ended = facts["ending"] if facts["clean"] == "True" else f"[yellow]{facts['ending']}[/]"
    name = f" {facts['case']}" if "case" in facts else ""
    return f"{title}: case {facts['done']}/{facts['total']}{name}: {ended}"


def _samples(title: str, facts: Mapping[str, str]) -> str | None:
    """A line for each tenth of the way: a job may have many thousands."""
    done, total = int(facts["done"]), int(facts["total"])
    step = max(1, total // 10)
    if done < total and done // step == max(0, done - int(facts["new"])) // step:
        return None
    failed = f", [red]failed: {facts['failures']}[/]" if facts["failures"] else ""
    return f"{title}: {done}/{total}{failed}"


def _image_over(_: str, facts: Mapping[str, str]) -> str | None:
    return f"image {facts['image']}: ready after {facts['seconds']} s" if facts["built"] == "True" else None


def _finished(title: str, facts: Mapping[str, str]) -> str:
    reason = f" ({facts['reason']})" if "reason" in facts else ""
    return f"{_MARKS.get(facts['status'], '[red]✗[/]')} {title}: {facts['status']}{reason}"


_SENTENCES: Mapping[str, Callable[[str, Mapping[str, str]], str | None]] = {
    "run_started": lambda _, facts: f"run [bold]{facts['run_id']}[/] in {facts['run_dir']}",
    "trial_started": lambda title, _: f"{title}: started",
    "stage_started": _stage,
    "stage_finished": lambda title, facts: f"{title}: {_STAGES.get(facts['stage'], facts['stage'])} done",
    "case_finished": _case,
    "samples_done": _samples,
    "setup_waiting": lambda title, _: f"{title}: challenge setup: waiting for another evaluation that makes it",
    "setup_finished": _setup,
    "attempt_failed": lambda title, facts: f"{title}: [yellow]{facts['reason']}: {facts['text']}; trying again[/]",
    "trial_finished": _finished,
    "trial_reused": lambda title, _: f"{title}: complete already, not run again",
    "trial_skipped": lambda title, facts: f"- {title}: skipped, {facts['text']}",
    "image_step": lambda _, facts: f"image {facts['image']}: {facts['text']}",
    "image_over": _image_over,
    "load_doubtful": lambda title, facts: (
        f"[yellow]warning[/] {title}: the machine was busy with other work, so what was measured is doubtful: "
        f"{facts['text']}. Run it again on an idle machine, with --jobs 1, or with the challenge under \\[cases] "
        "undisturbed in agentics.toml"
    ),
    "note": lambda _, facts: facts["text"],
}


def _title(event: Progress) -> str:
    which = f" #{event.replication}" if event.replication is not None else ""
    return one_line(f"{event.task} · {event.variant}{which}") if event.task else "run"
