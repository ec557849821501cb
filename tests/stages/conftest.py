"""One attempt at a challenge, at the level of its stages: its plan, places and evidence, and a fake engine."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentics.archive import read_solution
from agentics.bundle import load_challenge
from agentics.model.evidence.trial_evidence import ImageUse, TrialEvidence
from agentics.model.plan.pipeline import BackendRef, Experiment
from agentics.pipeline.attempt_tools import AttemptTools, ReadyImage, Resume, Users
from agentics.pipeline.contract.stage import Context, StageFailure
from agentics.pipeline.cooperation import Cooperation
from agentics.policy.planning import plan
from agentics.policy.topologies.parts import PlanRequest
from agentics.rundir.files.artifacts import ArtifactStore
from agentics.runner.evidence_store import AttemptEvidence
from agentics.sandbox.places import Scratch
from agentics.stages import BUILT_IN
from tests.fake_engine import FakeEngine
from tests.runner.lab import bundle, solution


@dataclass
class Attempt:
    """`tools` is what its stages work with; `root` is where its ledgers lie."""

    tools: AttemptTools
    root: Path

    def run(self, stage: str) -> Context | StageFailure:
        """One stage of the plan by itself. Raises what it raises."""
        options = next(each.options for each in self.tools.plan.stages if each.name == stage)
        experiment = Experiment(id="e", backend=BackendRef(id="b"), pipeline=self.tools.plan.stages)
        assigns = {"tools": self.tools, "evidence": self.blank()}
        context = Context(experiment_id="e", run_id="r", experiment=experiment, assigns=assigns)
        return BUILT_IN.find(stage).stage.run(context, options)

    def cases(self) -> tuple:
        return self.run("cases").evidence.cases

    def blank(self) -> TrialEvidence:
        wanted = self.tools.plan
        return TrialEvidence(
            topology=wanted.topology, mode=wanted.mode, target=wanted.target, trust=wanted.trust, images={}
        )

    def ledger(self, name: str) -> list[dict[str, Any]]:
        """The lines, without what chains them to each other."""
        file = self.root / f"{name}.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [{key: value for key, value in line.items() if key != "prev"} for line in lines]

    def content(self, ref: str) -> bytes:
        return self.tools.keep.path(ref).read_bytes()

    def seen(self) -> dict[str, tuple[int, bytes | None]]:
        """Everything that an evaluator would see of the cases: modes and bytes by path."""
        root = self.tools.paths["solution_runs"]
        return {
            str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
            for path in sorted(root.rglob("*"))
        }


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def scratch(tmp_path) -> Iterator[Scratch]:
    with Scratch(tmp_path / "scratch", "directory") as made:
        yield made


@pytest.fixture
def image() -> str:
    return "x"


@pytest.fixture
def attempt(tmp_path, engine, image, scratch) -> Iterator[Any]:
    """Makes attempts at one challenge with one store of artifacts, as the attempts of a run share theirs."""
    artifacts = ArtifactStore(tmp_path / "artifacts")
    (tmp_path / "artifacts").mkdir()
    challenge = bundle(tmp_path, "one", cases=2)
    solution(tmp_path)
    used = ImageUse(
        declared="x", declared_platform="linux/arm64", used="x", id=image, digest=None, platform="x", substituted=False
    )
    made: list[Attempt] = []

    def make(*, cooperation: Cooperation | None = None, resume: Resume | None = None, **more: Any) -> Attempt:
        loaded = load_challenge(more.pop("challenge", challenge))
        mine = read_solution(more.pop("solution", tmp_path / "mine"), name="mine")
        request = PlanRequest(
            challenge=loaded.challenge,
            target=loaded.challenge.targets[0],
            manifest=mine.manifest,
            **{"mode": "validation", **more},
        )
        root = tmp_path / f"attempt-{len(made)}"
        root.mkdir()
        tools = AttemptTools(
            engine=engine,
            scratch=scratch,
            plan=plan(request),
            images={side: ReadyImage(use=used) for side in ("solution", "evaluator")},
            users=Users(solution=os.geteuid(), evaluator=os.geteuid(), apart=70000, mode="operator"),
            labels={},
            challenge=loaded.root,
            solution=mine,
            metric_schema=loaded.challenge.metric_schema,
            submission_id="0",
            keep=AttemptEvidence(artifacts, root),
            interrupt=threading.Event(),
            observer=lambda *_, **__: None,
            jobs=1,
            cooperation=cooperation,
            resume=resume or Resume(),
        )
        tools.paths["challenge"] = loaded.root
        tools.plain("workspace")
        made.append(Attempt(tools, root))
        return made[-1]

    yield make
    for each in made:
        each.tools.close()


def by_case(behaviours: Mapping[str, Any]):
    """A behaviour for each alias."""
    return lambda container: behaviours[container.env["AGENTICS_RUN_NAME"]](container)
