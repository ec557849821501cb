"""A worker that may take models and data from a hub: one of the tests', which goes away in between."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.lighteval.fake_hub import COMMIT, OLDER, FakeHub
from tests.lighteval.worker.conftest import DUMMY, PLUGINS, Told, Worker, evaluate, started

pytestmark = pytest.mark.slow

CAPITALS = PLUGINS / "quick-tasks" / "data" / "capitals"
TOKEN = {"HF_TOKEN": "hf_a_token_of_the_tests"}
SMALL = {"dtype": "float32", "batch_size": 4}


@pytest.fixture(scope="module")
def hub(tiny) -> Iterator[FakeHub]:
    models = {"acme/tiny": tiny, "acme/gated": tiny, "acme/later": tiny}
    datasets = {"acme/capitals": CAPITALS, "acme/late": CAPITALS}
    with FakeHub(models, datasets, gated=frozenset({"acme/gated"}), token="another") as made:
        yield made


@pytest.fixture(scope="module")
def online(hub, tmp_path_factory) -> Iterator[Worker]:
    root = tmp_path_factory.mktemp("online")
    yield from started(root, "--online", HF_ENDPOINT=hub.url, HF_HOME=str(root / "hub"), **TOKEN)


def from_hub(name: str, **more: object) -> dict[str, object]:
    return {"type": "accelerate", "model_name": name, "options": SMALL, **more}


def texts(told: Told) -> list[list[str]]:
    return [answer.response["text"] for answer in told.of("answer")]


def test_a_model_and_its_data_come_from_the_hub_by_their_names_and_the_commit_is_told(online, checkpoint, hub):
    there = online.ask(evaluate(from_hub("acme/tiny"), params={"hf_repo": "acme/capitals"}))
    assert there.of("failed") == []
    assert there.one("report").model_commit == COMMIT
    here = online.ask(evaluate(checkpoint))
    assert here.one("report").model_commit is None
    assert there.scores == here.scores
    assert texts(there) == texts(here) != []
    assert any("acme/tiny/resolve" in path for path in hub.asked)
    assert any("datasets/acme/capitals/resolve" in path for path in hub.asked)


def test_a_commit_may_be_named(online):
    told = online.ask(evaluate(from_hub("acme/tiny", revision=COMMIT)))
    assert told.of("failed") == []
    assert told.one("report").model_commit == COMMIT


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (evaluate(from_hub("acme/none")), "hub_not_found"),
        (evaluate(from_hub("acme/tiny", revision="gone")), "hub_not_found"),
        (evaluate(from_hub("acme/gated")), "hub_refused"),
        (evaluate(DUMMY, params={"hf_repo": "acme/none"}), "hub_not_found"),
    ],
)
def test_what_the_hub_does_not_have_or_give_is_the_users_to_mend(online, order, code):
    failed = online.ask(order).one("failed")
    assert (failed.stage, failed.code) == ("mapping", code)
    assert "HF_TOKEN" in failed.hint
    assert TOKEN["HF_TOKEN"] not in failed.message


def test_the_commit_of_data_is_told_and_that_of_a_folder_is_not(online):
    there = evaluate(DUMMY, params={"hf_repo": "acme/capitals"})
    assert online.ask(there).one("task").data_commit == COMMIT
    older = evaluate(DUMMY, params={"hf_repo": "acme/capitals", "hf_revision": "v1"})
    assert online.ask(older).one("task").data_commit == OLDER
    assert online.ask(evaluate(DUMMY)).one("task").data_commit is None


def test_data_of_another_revision_are_not_taken_from_the_cache_for_one_that_the_hub_does_not_have(online):
    told = online.ask(evaluate(DUMMY, params={"hf_repo": "acme/capitals"}))
    assert told.of("failed") == []
    failed = online.ask(evaluate(DUMMY, params={"hf_repo": "acme/capitals", "hf_revision": "v9"})).one("failed")
    assert (failed.stage, failed.code) == ("mapping", "hub_not_found")
    assert "v9" in failed.message


def test_what_the_cache_has_needs_no_hub_and_what_it_lacks_is_the_infrastructures_fault(tiny, tmp_path_factory):
    root = tmp_path_factory.mktemp("gone")
    order = evaluate(from_hub("acme/tiny"), params={"hf_repo": "acme/capitals"})
    absent = [
        evaluate(from_hub("acme/later")),
        evaluate(DUMMY, params={"hf_repo": "acme/others"}),
        evaluate(DUMMY, params={"hf_repo": "acme/capitals", "hf_revision": OLDER}),
    ]
    env = {"HF_HOME": str(root / "hub"), "HF_HUB_CACHE": str(root / "elsewhere")}
    hub = FakeHub({"acme/tiny": tiny, "acme/later": tiny}, {"acme/capitals": CAPITALS})
    with hub, contextmanager(started)(root, "--online", HF_ENDPOINT=hub.url, **env) as online:
        first = online.ask(order)
        hub.status = 503
        for said in ("answered 503", "could not be reached"):
            again = online.ask(order)
            assert again.of("failed") == first.of("failed") == []
            assert (again.scores, again.one("report").model_commit) == (first.scores, COMMIT)
            assert again.one("task").data_commit == COMMIT
            for other in absent:
                failed = online.ask(other).one("failed")
                assert (failed.stage, failed.code) == ("internal", "hub_unreachable"), failed.message
                assert f"{hub.url} {said}" in failed.message
            hub.close()


def test_a_hub_that_is_away_is_asked_three_times_in_an_order_and_once_in_the_next_of_a_session(online, hub):
    order, session = evaluate(DUMMY, params={"hf_repo": "acme/late"}), online.session()
    hub.status = 503
    asked = []
    for _ in range(2):
        hub.asked.clear()
        assert online.ask(order, session=session).one("failed").code == "hub_unreachable"
        asked.append(len(hub.asked))
    hub.status = None
    assert asked == [3, 1]
    assert online.ask(order, session=session).of("failed") == []


@pytest.fixture
def full_cache(tmp_path):
    """A cache in a file system of 1 MiB that has no room left, with a file where a folder should be."""
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path], check=False, capture_output=True)
    if made.returncode != 0:
        pytest.skip("only root may mount")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "datasets--acme--capitals").touch()
    with (tmp_path / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_a_cache_that_cannot_be_written_is_the_infrastructures_fault(hub, tmp_path_factory, full_cache):
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(full_cache)}
    with contextmanager(started)(tmp_path_factory.mktemp("small"), "--online", **env) as online:
        for order, code in (
            (evaluate(from_hub("acme/tiny"), params={"hf_repo": str(CAPITALS)}), "disk_full"),
            (evaluate(DUMMY, params={"hf_repo": "acme/late"}), "disk_full"),
            (evaluate(DUMMY, params={"hf_repo": "acme/capitals"}), "hub_cache_unusable"),
        ):
            failed = online.ask(order).one("failed")
            assert (failed.stage, failed.code) == ("internal", code), failed.message
