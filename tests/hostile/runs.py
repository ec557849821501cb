"""Cases and what became of them: one evaluation of all the cases of a bundle, an honest solution after each."""

from __future__ import annotations

import gc
import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import docker

from agentics.config import Config
from agentics.rundir.artifacts import Artifacts
from agentics.rundir.reader import RunView, TrialView, read_evidence, read_run
from agentics.runner.campaign import EvalRequest, compile_request
from agentics.runner.evaluate import Ended, evaluate
from agentics.runner.progress import Progress
from agentics.sandbox.labels import OWNER, TRIAL, this_process
from tests.hostile.material import INSIDE, solution

CASES = INSIDE / "cases"
HONEST = "honest"


@dataclass(frozen=True)
class Case:
    """One hostile program. `ends` is status, reason and fault, as its header states them."""

    group: str
    path: Path
    title: str
    phase: str
    ends: tuple[str, str | None, str | None]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def wears(self) -> bool:
        """Whether it goes for the machine: then an honest solution is tried after it."""
        return self.title.startswith(("B14", "C2", "C3", "D"))


def read_case(path: Path) -> Case:
    """Raises ValueError where the header is not complete."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = {"phase": "run"}
    for line in lines[1:3]:
        key, colon, value = line.removeprefix("# ").partition(": ")
        if line.startswith("# ") and colon:
            header[key] = value
    status, reason, fault = header["ends"].split()
    ends = (status, None if reason == "-" else reason, None if fault == "-" else fault)
    return Case(path.parent.name, path, lines[0].removeprefix("# "), header["phase"], ends)


def cases(group: str | None = None) -> list[Case]:
    return [read_case(path) for path in sorted(CASES.glob(f"{group or '*'}/*.py"))]


def lay_case(root: Path, case: Case) -> Path:
    own = {"honest.py": (INSIDE / "honest.py").read_text()}
    if case.phase == "build":
        files = {**own, "main.py": "import honest\nhonest.answer()\n", "attack.py": case.path.read_text()}
        return solution(root, files, build="exec python3 -B attack.py\n")
    return solution(root, {**own, "main.py": case.path.read_text()})


def lay_honest(root: Path, group: str) -> Path:
    call = "converse" if group == "piped" else "answer"
    main = f"import honest\nhonest.{call}()\n"
    return solution(root, {"honest.py": (INSIDE / "honest.py").read_text(), "main.py": main})


def containers(*labels: str) -> list[dict]:
    """Asked with a client of its own, so that its connections are not mistaken for ours."""
    with closing(docker.from_env().api) as client:
        return client.containers(all=True, filters={"label": list(labels)})


@dataclass
class Watch:
    """Looks, whenever a trial has ended, for what it left on the engine."""

    left: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, event: Progress) -> None:
        if event.kind == "trial_finished":
            labels = [f"{OWNER}={this_process().label()}", f"{TRIAL}={event.trial_id}"]
            found = containers(*labels)
            # What is being removed at this moment is no longer there for anybody else.
            self.left[event.variant] = [str(one["Id"]) for one in found if one["State"] == "running"]


@dataclass(frozen=True)
class Seen:
    """How an evaluation went, and what was there before and after it."""

    ended: Ended
    view: RunView
    left: dict[str, list[str]]
    descriptors: tuple[int, int]
    threads: tuple[int, int]
    containers: int
    mounts: list[str]
    scratch: list[str]

    def task(self, variant: str):
        return next(next(iter(o.tasks.values())) for o in self.ended.outcomes if o.model == variant)

    def trial(self, variant: str) -> TrialView:
        return next(trial for trial in self.view.trials if trial.ids.variant_id == variant)

    def participant_bytes(self, variant: str) -> dict[str, bytes]:
        """Everything that a participant's program said or left, by where."""
        trial = self.trial(variant)
        evidence, artifacts = read_evidence(trial), Artifacts(self.view.layout.artifacts)
        refs = {f"{case.alias}/{file.path}": file.ref for case in evidence.cases for file in case.files}
        own = (r for r in evidence.containers if r.role in ("setup", "build", "run") and r.log_ref)
        refs |= {record.role: record.log_ref for record in own}
        return {name: artifacts.read(ref) for name, ref in refs.items()}


def run_all(config: Config, output: Path, bundle: Path, solutions: dict[str, Path], **more) -> Seen:
    """Evaluate, and look around before and after. `config` names a scratch directory that nobody else uses."""
    watch = Watch()
    request = EvalRequest(bundles=(bundle,), solutions=tuple(solutions.items()), output_path=output, **more)
    before = _own()
    ended = evaluate(compile_request(request, config), watch)
    after = _own()
    scratch = config.sandbox.scratch
    mounted = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(scratch) in line]
    return Seen(
        ended=ended,
        view=read_run(ended.run_dir),
        left=watch.left,
        descriptors=(before[0], after[0]),
        threads=(before[1], after[1]),
        containers=len(containers(f"{OWNER}={this_process().label()}")),
        mounts=mounted,
        scratch=sorted(path.name for path in scratch.iterdir()),
    )


def _own() -> tuple[int, int]:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
