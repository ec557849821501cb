"""A worker that may take models and data from a hub: one of the tests', which goes away in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lighteval.fake_hub import COMMIT, FakeHub
from tests.lighteval.worker.conftest import DUMMY, PLUGINS, Told, Worker, evaluate, started

pytestmark = pytest.mark.slow

CAPITALS = PLUGINS / "quick-tasks" / "data" / "capitals"
TOKEN = {"HF_TOKEN": "hf_a_token_of_the_tests"}
SMALL = {"dtype": "float32", "batch_size": 4}


@pytest.fixture(scope="module")
def hub(tiny) -> Iterator[FakeHub]:
    models = {"acme/tiny": tiny, "acme/gated": tiny, "acme/later": tiny}
    with FakeHub(models, {"acme/capitals": CAPITALS}, gated=frozenset({"acme/gated"}), token="another") as made:
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


def test_what_the_cache_has_needs_no_hub_and_what_it_lacks_is_the_infrastructures_fault(tiny, tmp_path_factory):
    root = tmp_path_factory.mktemp("gone")
    order = evaluate(from_hub("acme/tiny"), params={"hf_repo": "acme/capitals"})
    env = {"HF_HOME": str(root / "hub")}
    hub = FakeHub({"acme/tiny": tiny, "acme/later": tiny}, {"acme/capitals": CAPITALS})
    with hub, contextmanager(started)(root, "--online", HF_ENDPOINT=hub.url, **env) as online:
        first = online.ask(order)
        hub.status = 503
        again = online.ask(order)
        assert again.of("failed") == first.of("failed") == []
        assert (again.scores, again.one("report").model_commit) == (first.scores, COMMIT)
        for other in (evaluate(from_hub("acme/later")), evaluate(DUMMY, params={"hf_repo": "acme/others"})):
            failed = online.ask(other).one("failed")
            assert (failed.stage, failed.code) == ("internal", "hub_unreachable"), failed.message
            assert hub.url in failed.message
