"""The cooperative solution that ships does what its page says, in real containers."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentics.model.evidence.trial_evidence import CaseRecord, Checkpoint
from agentics.pipeline.attempt_tools import Interrupted, Resume
from agentics.pipeline.cooperation import Cooperation
from agentics.sandbox.docker.engine import connect
from tests.conftest import BUNDLES
from tests.stages.agents import AT

pytestmark = pytest.mark.docker

EXAMPLE = Path(__file__).parents[2] / "examples" / "cooperative-solution"
THIRD = "run-0003"


@pytest.fixture
def engine(scratch):
    with connect(scratch=scratch.plain()) as found:
        yield found


@pytest.fixture
def image(engine):
    return engine.image("agentics-base:latest", None).id


@pytest.fixture
def patient(tmp_path):
    """Range sums with time enough to be asked something."""
    copy = tmp_path / "patient"
    shutil.copytree(BUNDLES / "range-sums" / "v1", copy)
    spec = copy / "spec.json"
    spec.write_text(spec.read_text().replace('"timeout_sec": 3', '"timeout_sec": 300'))
    return copy


def until(true, seconds=60.0):
    """The solution and we share nothing but files: looking again is the protocol."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def test_c15_the_example_is_asked_for_a_checkpoint_and_to_stop_and_goes_on_from_there(attempt, patient):
    wanted = {"challenge": patient, "solution": EXAMPLE, "limit": 3, "integration": "sdk_control"}
    talk = Cooperation()
    first = attempt(cooperation=talk, bindings={"step_s": 0.5}, **wanted)
    first.run("prepare")
    with ThreadPoolExecutor(1) as pool:
        cases = pool.submit(first.cases)
        until(lambda: THIRD in talk.active)
        for action in ("checkpoint", "stop"):
            versions = talk.ask(action, label="lunch", requested_by="lab_pause", at=AT)
            until(lambda: talk.acknowledged(action, versions) == {THIRD})  # noqa: B023 - called before the next round
        with pytest.raises(Interrupted):
            cases.result(60)
    assert (talk.stopped, talk.active, talk.refused) == ({THIRD}, (), 0)
    finished = [CaseRecord.model_validate(line) for line in first.ledger("cases")]
    assert [case.run_name for case in finished] == ["sample", "single-entry"]
    checkpoints = [Checkpoint.model_validate(line) for line in first.ledger("checkpoints")]
    assert [(each.alias, each.label) for each in checkpoints] == [(THIRD, "lunch")] * 2
    last = max(checkpoints, key=lambda each: each.step)

    resume = Resume(cases={case.run_name: case for case in finished}, checkpoints={THIRD: last})
    again = attempt(cooperation=Cooperation(), resume=resume, **wanted)
    again.run("prepare")
    *_, case = again.cases()
    assert (case.run_name, case.clean, case.restored) == ("mixed-signs", True, False)
    steps = [json.loads(line) for line in again.content(case.events_ref).splitlines()]
    assert steps[0]["step_index"] == last.step + 1, "a step was done twice, or left out"
    seen, answers = again.seen(), patient / "public" / "answers" / "validation"
    for name in ("sample", "single-entry", "mixed-signs"):
        assert seen[f"{name}/stdout.txt"][1].split() == (answers / f"{name}.txt").read_bytes().split()


@pytest.mark.parametrize("bindings", [{}, {"solution": {"step_s": 0.01}}], ids=["plain", "bound"])
def test_the_example_solves_its_challenge_whether_anybody_asks_or_not(evaluation, bindings):
    ended = evaluation(BUNDLES / "range-sums", EXAMPLE, bindings=bindings)
    assert [outcome.status for outcome in ended.outcomes] == ["passed"]
    evidence = json.loads((ended.run_dir / "trials" / "trial_1" / "evidence.json").read_bytes())
    assert {case["events_ref"] is not None for case in evidence["cases"]} == {bool(bindings)}
