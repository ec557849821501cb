"""What the worker could not reach is found before anything starts: files, servers and the place of results."""

from __future__ import annotations

import os

import pytest

from agentics.config import EVALUATOR_UID, Config, Lighteval
from tests.lighteval.conftest import CAPITALS, ENDPOINT, JUDGE, LOCAL, spec

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root's containers have users of their own")
PROCESS = Config(lighteval=Lighteval(worker="/opt/worker/bin/python"))
ASKED = [{"id": "capitals:eu"}]


def local(world):
    weights = world.root / "models" / "tiny" / "model.safetensors"
    weights.write_bytes(b"weights")
    return weights


@AS_ROOT
def test_weights_that_only_their_owner_may_read_are_found_with_the_command_that_helps(world):
    weights = local(world)
    weights.chmod(0o600)
    said = spec(backend=LOCAL, tasks=ASKED, custom_plugins=[CAPITALS])
    found = world.check(said)
    assert found.errors == [("folder_unreadable", "/backend/model_path")]
    assert str(weights) in found.findings[0].message
    assert f"chmod -R a+rX {weights.parent}" in found.hints
    weights.chmod(0o644)
    assert world.check(said).errors == []


@AS_ROOT
@pytest.mark.parametrize(
    ("mode", "uid", "errors"),
    [
        (0o600, EVALUATOR_UID, 0),
        (0o040, EVALUATOR_UID, 1),
        (0o640, 1, 1),
        (0o604, 1, 0),
    ],
)
def test_whose_bits_count_depends_on_the_owner(world, mode, uid, errors):
    weights = local(world)
    os.chown(weights, uid, 1)
    weights.chmod(mode)
    found = world.check(spec(backend=LOCAL, tasks=ASKED, custom_plugins=[CAPITALS]))
    assert len(found.errors) == errors


@AS_ROOT
@pytest.mark.parametrize("folder", [".", "data"])
def test_a_plugin_whose_folder_is_closed_is_no_matter_of_infrastructure(world, folder):
    place = world.root / "plugins" / "capitals" / folder
    place.mkdir(exist_ok=True)
    place.chmod(0o700)
    said = spec(tasks=ASKED, custom_plugins=[CAPITALS])
    assert world.check(said).errors == [("folder_unreadable", "/custom_plugins/0/path")]
    # A worker that is a process reads as whoever started it.
    assert world.check(said, config=PROCESS).errors == []


@AS_ROOT
@pytest.mark.parametrize(("params", "pointer"), [({}, "/tasks/0/id"), ({"hf_repo": "rows"}, "/tasks/0/params/hf_repo")])
def test_data_that_only_their_owner_may_read_are_found(world, params, pointer):
    for folder in ("rows", "shared/openai/gsm8k"):
        (world.root / folder / "test.jsonl").touch(0o600)
    found = world.check(spec(tasks=[{"id": "gsm8k", "params": params}]))
    assert found.errors == [("folder_unreadable", pointer)]


def test_a_checkpoint_of_links_to_a_store_is_not_seen_by_a_container(world):
    store = world.root / "store"
    store.write_bytes(b"weights")
    local(world).with_name("linked.safetensors").symlink_to(store)
    said = spec(backend=LOCAL, tasks=ASKED, custom_plugins=[CAPITALS])
    assert world.check(said).errors == [("model_links_outside", "/backend/model_path")]
    assert world.check(said, config=PROCESS).errors == []


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/v1", "http://127.0.0.1:8000/v1", "http://127.3.2.1/v1", "http://[::1]:8000/v1",
        "https://0.0.0.0/v1", "http://LOCALHOST/v1", "http://models.localhost/v1",
    ],
)  # fmt: skip
def test_an_address_of_this_machine_means_the_container_inside_of_one(world, url):
    judged = {"scoring_mode": "judge", "scoring_config": {"judges": [{**JUDGE, "base_url": url}]}}
    said = spec(backend={**ENDPOINT, "base_url": url}, **judged)
    places = ["/backend/base_url", "/scoring_config/judges/0/base_url"]
    assert world.check(said).errors == [("loopback_in_container", place) for place in places]
    assert world.check(said, config=PROCESS).errors == []


@pytest.mark.parametrize(
    "url", ["models:8000/v1", "//models/v1", "localhost:8000", "ftp://models/v1", "http://", "http://[::1", "http://x:y/v1"]
)  # fmt: skip
def test_an_address_without_a_scheme_or_a_host_is_none(world, url):
    judged = {"scoring_mode": "judge", "scoring_config": {"judges": [{**JUDGE, "base_url": url}]}}
    said = spec(backend={**ENDPOINT, "base_url": url}, **judged)
    places = ["/backend/base_url", "/scoring_config/judges/0/base_url"]
    assert world.check(said).errors == [("bad_url", place) for place in places]


def test_addresses_of_others_are_in_order(world):
    for url in (
        "http://172.17.0.1:8000/v1",
        "https://api.example/v1",
        "http://localhost.example/v1",
        "http://[fd00::1]/v1",
    ):
        assert world.check(spec(backend={**ENDPOINT, "base_url": url})).errors == []


def test_an_event_file_is_refused_where_its_package_is_missing(world, monkeypatch):
    said = spec(artifacts={"output_dir": "out", "tensorboard": True})
    assert world.check(said).said == []
    monkeypatch.setattr("agentics.lighteval.rules.reach.find_spec", lambda _: None)
    found = world.check(said)
    assert found.errors == [("tensorboard_missing", "/artifacts/tensorboard")]
    assert "agentics[tensorboard]" in found.hints
