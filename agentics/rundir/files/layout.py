"""Where everything lies in a run directory. Paths only; nothing is read or made here."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentics.rundir.files.names import part, task_directory, variant_part

DERIVED = {"fork": "forks", "replay": "replays"}
"""Where trials lie that were made from another one, by what made them."""

_DERIVED = re.compile(r"trial_\d+_(?:[0-9a-z_]+_)?((fork|replay)_[0-9a-z_]+)")
"""The last of its ancestors names the place: a fork of a replay lies below forks/."""

_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
"""A number of an attempt: there are never more than a million."""


@dataclass(frozen=True)
class Layout:
    """The places of one run; `root` is absolute."""

    root: Path

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    @property
    def resolved(self) -> Path:
        return self.root / "resolved_experiment.json"

    @property
    def resolved_digest(self) -> Path:
        return self.root / "resolved_experiment.digest"

    @property
    def attestation(self) -> Path:
        return self.root / "attestation.json"

    @property
    def runtime(self) -> Path:
        return self.root / "runtime"

    @property
    def control(self) -> Path:
        return self.runtime / "run_control.json"

    @property
    def lock(self) -> Path:
        return self.runtime / "operation.lock"

    @property
    def invocations(self) -> Path:
        return self.runtime / "invocations.jsonl"

    @property
    def journal(self) -> Path:
        """Which slots are committed."""
        return self.runtime / "slot_commit_journal.jsonl"

    @property
    def progress(self) -> Path:
        return self.runtime / "schedule_progress.json"

    @property
    def engine_lease(self) -> Path:
        return self.runtime / "engine_lease.json"

    @property
    def operation_lease(self) -> Path:
        return self.runtime / "operation_lease.json"

    @property
    def control_lock(self) -> Path:
        """Held by the one controller that is at work."""
        return self.runtime / "control.lock"

    @property
    def recovery_report(self) -> Path:
        return self.runtime / "recovery_report.json"

    @property
    def requests(self) -> Path:
        """What controllers ask of the living runner, and what it answers."""
        return self.runtime / "requests"

    @property
    def evidence(self) -> Path:
        return self.root / "evidence"

    @property
    def evidence_records(self) -> Path:
        return self.evidence / "evidence_records.jsonl"

    @property
    def chain_states(self) -> Path:
        return self.evidence / "task_chain_states.jsonl"

    @property
    def benchmark(self) -> Path:
        return self.root / "benchmark"

    @property
    def replays(self) -> Path:
        return self.root / "replays"

    @property
    def forks(self) -> Path:
        return self.root / "forks"

    @property
    def regrades(self) -> Path:
        return self.root / "regrades"

    @property
    def log(self) -> Path:
        """What an invocation told about itself, for people."""
        return self.runtime / "eval.log"

    @property
    def stage_log(self) -> Path:
        """What stages printed, which are this process's own code; missing where they printed nothing."""
        return self.runtime / "stages.log"

    @property
    def events(self) -> Path:
        """What an invocation told about itself, for programs."""
        return self.runtime / "events.jsonl"

    @property
    def trials(self) -> Path:
        return self.root / "trials"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts" / "sha256"

    @property
    def public(self) -> Path:
        return self.root / "public"

    def public_challenge(self, name: str) -> Path:
        """What everybody may see of a challenge. Raises StorageError (unsafe_name)."""
        return self.public / "challenges" / f"{part(name, 'challenge')}.json"

    def trial(self, trial_id: str) -> TrialLayout:
        """The places of a trial of the schedule, or of one made from it: `<parent>_<fork_id>` lies below forks/.

        Raises StorageError (unsafe_name) for what is no name of a directory.
        """
        if (found := _DERIVED.fullmatch(trial_id)) is not None:
            return TrialLayout(self.root / DERIVED[found[2]] / found[1] / "trial_1")
        return TrialLayout(self.trials / part(trial_id, "trial"))

    def damaged(self, path: str) -> Path:
        """Where a file that was damaged is kept, under a name that is free."""
        place = self.root / "damaged" / path
        names = itertools.chain((place,), (place.with_name(f"{place.name}.{n}") for n in itertools.count(2)))
        return next(name for name in names if not name.exists())

    def derived(self) -> Iterator[TrialLayout]:
        """Every trial that was made from another, forks first."""
        for folder in DERIVED.values():
            places = sorted((self.root / folder).glob("*/trial_1"))
            yield from (TrialLayout(place) for place in places)

    def jobspec(self, variant: str) -> Path:
        """A model's job as it was understood; `variant` is a directory's name."""
        return self.root / "jobs" / variant_part(variant) / "jobspec.json"

    def suite(self, variant: str) -> Path:
        """The suite that a model's job belongs to."""
        return self.root / "jobs" / variant_part(variant) / "suite.json"

    def variant(self, variant: str) -> Path:
        """`variant` is a directory's name, here and below. Raises StorageError (unsafe_name) for what is none."""
        return self.root / variant_part(variant)

    def outcome(self, variant: str) -> Path:
        return self.variant(variant) / "run_outcome.json"

    def summary(self, variant: str) -> Path:
        return self.variant(variant) / "run_summary.json"

    def task(self, variant: str, ref: str) -> Path:
        return self.variant(variant) / task_directory(ref)

    def task_status(self, variant: str, ref: str) -> Path:
        return self.task(variant, ref) / "task_status.json"


@dataclass(frozen=True)
class TrialLayout:
    """The places of one trial."""

    root: Path

    @property
    def metadata(self) -> Path:
        return self.root / "trial_metadata.json"

    @property
    def state(self) -> Path:
        return self.root / "trial_state.json"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def evidence(self) -> Path:
        return self.root / "evidence.json"

    @property
    def explanation(self) -> Path:
        return self.root / "explanation.json"

    @property
    def cases(self) -> Path:
        """Files of the cases that are not passed, for people to open."""
        return self.root / "cases"

    @property
    def attempts(self) -> Path:
        return self.root / "attempts"

    def attempt(self, number: int) -> Path:
        return self.attempts / str(number)

    def attempt_numbers(self) -> tuple[int, ...]:
        """Every attempt number that was given out, in order. A directory is made before it is used. Names of other
        forms are left out."""
        if not self.attempts.is_dir():
            return ()
        return tuple(sorted(int(place.name) for place in self.attempts.iterdir() if _NUMBER.fullmatch(place.name)))

    def last_attempt(self) -> int:
        """The highest attempt number that was given out; 0 before the first."""
        return max(self.attempt_numbers(), default=0)
