"""What a JobSpec may take from the hub, where the operator allows it, and what stays as it is where not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentics.config import Config, Lighteval, NetworkGrant
from agentics.lighteval.planning import hub_cache
from agentics.request.job_file import compile_job
from tests.lighteval.conftest import CAPITALS, DUMMY, LOCAL, spec
from tests.lighteval.test_plans import spec as job_of

HUB = {key: value for key, value in LOCAL.items() if key != "model_path"}


def allowed(root: Path, *, network: bool = True) -> Config:
    return Config(lighteval=Lighteval(hub=root / "hub"), network=NetworkGrant(allowed=network))


@pytest.mark.parametrize(
    ("backend", "code"), [(HUB, "model_needs_network"), (DUMMY, "dataset_needs_network")], ids=["model", "data"]
)
def test_models_and_data_come_from_the_hub_only_where_the_operator_allows_it(world, backend, code):
    said = spec(backend=backend, **({} if code.startswith("dataset") else {"tasks": [{"id": "capitals"}]}))
    said = {**said, "custom_plugins": [CAPITALS] if backend is HUB else []}
    nowhere = Config(lighteval=Lighteval(data=None))
    for config in (nowhere, allowed(world.root, network=False)):
        found = world.check(said, config=config)
        assert [each for each, _ in found.errors] == [code]
        assert "[lighteval] hub" in found.hints
    found = world.check(said, config=allowed(world.root))
    assert found.said == []
    assert (found.job.hub, found.job.network) == (True, True)


def test_a_job_that_takes_nothing_from_the_hub_has_no_network_where_it_is_allowed(world):
    said = spec(backend=LOCAL, tasks=[{"id": "capitals"}], custom_plugins=[CAPITALS])
    found = world.check(said, config=allowed(world.root))
    assert (found.said, found.job.hub, found.job.network) == ([], False, False)


def test_a_judges_network_is_no_reason_to_look_for_data_on_the_hub(world):
    judged = {"scoring_mode": "judge", "scoring_config": {"judges": [{"judge_model_name": "m"}]}}
    judged["scoring_config"]["judge_template_id"] = "correctness"
    found = world.check(spec(backend=DUMMY, tasks=[{"id": "hellaswag"}], **judged))
    assert ("dataset_needs_network", "/tasks/0/id") in found.errors


def test_the_worker_of_such_a_job_has_a_network_and_the_cache_in_the_operators_folder(folder):
    value = job_of("accelerate")
    del value["backend"]["model_path"]
    (folder / "job.json").write_text(json.dumps(value))
    job = compile_job(folder / "job.json", allowed(folder))
    (plan,) = job.plans.values()
    assert (plan.worker.network, plan.worker.sharing[2]) == ("enabled", plan.worker.hub)
    assert plan.worker.hub == f"/hub/{hub_cache(job.checked)}"
    assert job.paths["hub"] == folder / "hub" / hub_cache(job.checked)


def test_a_revision_of_a_model_on_the_hub_changes_what_is_done(folder):
    value = job_of("accelerate")
    del value["backend"]["model_path"]
    plans = []
    for revision in (None, "abc"):
        value["backend"]["revision"] = revision
        (folder / "job.json").write_text(json.dumps(value))
        plans.append(compile_job(folder / "job.json", allowed(folder)).plan_digest)
    assert plans[0] != plans[1]


def test_jobs_share_a_cache_unless_code_of_others_runs_beside_it(world):
    def cache(**changes):
        said = {"backend": HUB, "tasks": [{"id": "gsm8k"}], **changes}
        job = world.check(spec(**said), config=allowed(world.root)).job
        return hub_cache(job)

    plugin = {"tasks": [{"id": "capitals"}], "custom_plugins": [CAPITALS]}
    trusting = {"backend": {**HUB, "options": {"trust_remote_code": True}}}
    other = {"backend": {**trusting["backend"], "model_name": "acme/other"}}
    assert cache() == cache(backend={**HUB, "model_name": "acme/other"}) == "common"
    assert len({"common", cache(**plugin), cache(**trusting), cache(**other)}) == 4
