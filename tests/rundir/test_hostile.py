"""A stranger's run directory: no command writes outside of it, shows a file of the host, hangs, or ends in a bug."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from agentics.rundir.files.safe_files import DEPTH
from tests.rundir import hostile
from tests.rundir.hostile import HOSTILE, SECRET
from tests.runner.lab import evaluator

pytestmark = pytest.mark.slow

READERS = (
    ("run", "show", "{run}"),
    ("run", "show", "{run}", "--json"),
    ("run", "show", "{run}", "--public"),
    ("run", "gate", "{run}"),
    ("run", "verify", "{run}"),
    ("run", "verify", "{run}", "--json"),
    ("run", "rebuild", "{run}", "--check"),
    ("run", "compare", "{run}"),
    ("run", "case", "{run}", "case-1"),
    ("run", "case", "{run}", "case-1", "--json"),
    ("run", "watch", "{run}", "--no-follow"),
    ("run", "watch", "{run}", "--no-follow", "--json"),
    ("job", "details", "{run}", "--task", "one"),
    ("job", "compare", "{run}", "{run}"),
    ("schema", "check", "{run}"),
)


@pytest.fixture
def honest(lab) -> Path:
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = evaluator(1)
    assert lab.eval("one").status == 1
    return lab.home / "outputs" / "r"


def state_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def called(lab, words, run: Path):
    return lab(*(word.replace("{run}", str(run)) for word in words))


@pytest.fixture
def place(tmp_path):
    """Where hostile runs lie. A tree that is deeper than Python's own removal can follow is removed here."""
    folder = tmp_path / "stranger"
    yield folder
    for top in folder.glob("*"):
        os.system(f"rm -rf '{top}'")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_command_on_a_hostile_run_ends_as_expected_and_touches_nothing_beside_it(name, honest, place, lab):
    case = HOSTILE[name]
    run = case.make(honest, place)
    before = state_of(place / "victim")
    said = called(lab, (*case.words, "--json"), run)
    code = said.json.get("error", {}).get("code")
    assert (said.status, code if case.code else None) == (case.status, case.code), code
    assert SECRET not in said.out + said.err
    assert state_of(place / "victim") == before


@pytest.mark.parametrize("name", HOSTILE)
def test_every_reader_of_a_hostile_run_ends_without_a_bug_and_without_the_hosts_files(name, honest, place, lab):
    run = HOSTILE[name].make(honest, place)
    for words in READERS:
        said = called(lab, words, run)
        assert "Traceback" not in said.err, words
        assert "internal_error" not in said.out, words
        assert SECRET not in said.out + said.err, words


def test_no_reader_sends_what_steers_a_terminal(honest, place, lab):
    run = hostile.every_text_steers(honest, place)
    for words in READERS:
        said = called(lab, words, run)
        for text in (said.out, said.err):
            assert not set(text) & set("\x1b\x07\r\x9b\u202e\u2066\u200b\u2028\x85"), words
            assert "]8;;" not in text.replace("\\u001b]8;;", ""), words


def test_what_another_user_made_is_continued_with_trust_only(honest, place, lab):
    run = hostile.made_by_another_user(honest, place)
    for words in (
        ("run", "continue", "{run}"),
        ("run", "resume", "{run}"),
        ("run", "fork", "{run}", "--from-trial", "trial_1"),
        ("run", "replay", "{run}", "--trial-id", "trial_1"),
        ("run", "regrade", "{run}"),
    ):
        refused = called(lab, (*words, "--json"), run)
        if refused.json["error"]["code"] in ("continue_completed", "resume_non_paused"):
            continue  # there is nothing to go on with
        assert (refused.status, refused.json["error"]["code"]) == (7, "run_untrusted"), words
        assert "--trust" in refused.json["error"]["hint"]
    assert called(lab, ("run", "replay", "{run}", "--trial-id", "trial_1", "--trust", "--json"), run).json["ok"]


def test_an_experiment_that_was_exchanged_is_not_carried_out(honest, place, lab):
    run = hostile.experiment_was_exchanged(honest, place)
    for more in ((), ("--accept-alterations",)):
        said = called(lab, ("run", "replay", "{run}", "--trial-id", "trial_1", "--json", *more), run)
        assert (said.status, said.json["error"]["code"]) == (7, "run_untrusted")
        assert "resolved_experiment" in said.json["error"]["message"]


def test_files_of_another_owner_are_not_carried_out(honest, place, lab):
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    run = hostile.copied(honest, place)
    os.chown(run, 12345, 12345)
    said = called(lab, ("run", "replay", "{run}", "--trial-id", "trial_1", "--json"), run)
    assert (said.status, said.json["error"]["code"]) == (7, "run_untrusted")
    assert "12345" in said.json["error"]["message"]


def test_a_run_of_ones_own_is_gone_on_with_also_where_it_was_moved(honest, place, lab):
    run = hostile.copied(honest, place)
    said = called(lab, ("run", "replay", "{run}", "--trial-id", "trial_1", "--json"), run)
    assert said.json["ok"]


def test_a_key_that_others_can_read_seals_nothing(honest, lab):
    key = Path(os.environ["XDG_STATE_HOME"]) / "agentics" / "run.key"
    key.chmod(0o644)
    try:
        said = lab("run", "replay", honest, "--trial-id", "trial_1", "--json")
    finally:
        key.chmod(0o600)
    assert (said.status, said.json["error"]["code"]) == (7, "run_untrusted")


def test_a_run_below_a_link_of_the_user_is_read_and_gone_on_with(honest, tmp_path, lab):
    link = tmp_path / "link"
    link.symlink_to(honest.parent)
    assert lab("run", "show", link / "r").status == 0
    assert lab("run", "rebuild", link / "r").status == 0
    shutil.rmtree(honest / "public")
    assert lab("run", "rebuild", link / "r").status == 0
    assert (honest / "public" / "run.json").is_file()


def test_the_deepest_tree_that_a_run_may_hold_is_read(honest, lab):
    place = honest / "trials/trial_1/cases"
    deepest = place.joinpath(*["d"] * (DEPTH - len(place.relative_to(honest).parts)))
    deepest.mkdir(parents=True)
    assert lab("run", "show", honest).status == 0
    (deepest / "d").mkdir()
    assert lab("run", "show", honest).status == 5
