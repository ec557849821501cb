"""Where a job leaves its artifacts: a place belongs to one job of one run."""

from __future__ import annotations

import json
import shutil

import pytest


def _there(jobs, run_id="r"):
    root = jobs.home / "artifacts" / run_id
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _forget_the_run(jobs):
    shutil.rmtree(jobs.home / "outputs" / "r")


@pytest.mark.parametrize("changes", [{"max_samples": 1}, {"generation": {"seed": 7}}])
def test_another_job_does_not_overwrite_the_artifacts_of_a_job(jobs, changes):
    jobs.spec()
    assert jobs.run().status == 0
    before = _there(jobs)
    _forget_the_run(jobs)
    jobs.forget()
    jobs.spec(**changes)
    said = jobs.run("--json")
    assert (said.status, said.json["error"]["code"]) == (7, "storage_conflict")
    assert jobs.asked() == []
    assert not (jobs.home / "outputs" / "r").exists()
    assert _there(jobs) == before


def test_a_job_with_one_more_task_is_another_job_also_in_the_same_run(jobs):
    jobs.spec()
    jobs.run()
    before = _there(jobs)
    jobs.forget()
    jobs.spec(tasks=("one", "two"))
    said = jobs.run("--json")
    assert (said.status, said.json["error"]["code"]) == (7, "storage_conflict")
    assert jobs.asked() == []
    assert _there(jobs) == before


def test_a_model_with_other_weights_under_the_same_name_is_another_job(jobs):
    jobs.spec()
    jobs.run()
    _forget_the_run(jobs)
    (jobs.home / "plugins" / "model" / "weights").write_text("others\n")
    said = jobs.run("--json")
    assert (said.status, said.json["error"]["code"]) == (7, "storage_conflict")


def test_the_same_job_publishes_again_to_its_own_place(jobs):
    jobs.spec()
    jobs.run()
    _forget_the_run(jobs)
    assert jobs.run().status == 0
    assert json.loads((jobs.home / "artifacts" / "r" / "metadata.json").read_bytes())["run_id"] == "r"


def test_a_place_that_holds_another_programs_jobspec_is_left_alone(jobs):
    place = jobs.home / "artifacts" / "r"
    place.mkdir(parents=True)
    (place / "jobspec.json").write_text("{}")
    jobs.spec()
    said = jobs.run("--json")
    assert (said.status, said.json["error"]["code"]) == (7, "storage_conflict")
    assert (place / "jobspec.json").read_text() == "{}"
