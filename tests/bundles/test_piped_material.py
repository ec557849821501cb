"""guess-the-number without containers: its evaluator and each of its solutions, joined by plain pipes."""

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
PROPOSAL = BUNDLES / "guess-the-number"
BUNDLE = PROPOSAL / "v1"
OVERLAY = BUNDLES / "overlays" / "guess-the-number" / "official-session"
SPEC = json.loads((BUNDLE / "spec.json").read_text())
EXPECTED = json.loads((PROPOSAL / "expected.json").read_text())
# Those never end by themselves. The evaluator has compiled its interactor and played on long before that.


@dataclass(frozen=True)
class Session:
    evaluator_code: int
    participant_code: int
    result: dict


def materialise(manifest_path, place):
    """The session's file and inputs, as the platform lays them out."""
    manifest = json.loads(manifest_path.read_text())
    for given in manifest["input_files"]:
        target = place / "input" / given["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(given["content"])
    (place / "session.json").write_text(json.dumps(manifest))
    return place


def challenge_for(mode, place):
    shutil.copytree(BUNDLE, place)
    if mode == "official":
        shutil.copytree(OVERLAY, place, dirs_exist_ok=True)
    return place


def evaluator_command(place, mode):
    execution = SPEC["execution"]
    challenge = challenge_for(mode, place / "challenge")
    session = materialise(challenge / execution[f"{mode}_session"], place)
    _, script = execution["interactive_evaluator"]["command"]
    given = {
        "--challenge-dir": challenge,
        "--session-file": session / "session.json",
        "--session-input-dir": session / "input",
        "--output-path": place / execution["interactive_evaluator"]["result_file"],
        "--mode": mode,
        "--target": SPEC["targets"][0]["name"],
    }
    return [sys.executable, str(challenge / script), *(str(word) for pair in given.items() for word in pair)]


def little_memory():
    resource.setrlimit(resource.RLIMIT_AS, (300_000_000, 300_000_000))


def hold_session(place, mode, participant, limit=60):
    """Run both sides to their end; the participant is killed after `limit` seconds or when the evaluator is through."""
    to_participant, from_evaluator = os.pipe()
    to_evaluator, from_participant = os.pipe()
    command = evaluator_command(place, mode)
    environment = {**os.environ, "TMPDIR": str(place)}
    with (
        subprocess.Popen(
            participant,
            stdin=to_participant,
            stdout=from_participant,
            stderr=subprocess.DEVNULL,
            preexec_fn=little_memory,  # noqa: PLW1509 - there are no threads
        ) as playing,
        subprocess.Popen(
            command, cwd=place / "challenge", stdin=to_evaluator, stdout=from_evaluator, env=environment
        ) as judging,
    ):
        for fd in (to_participant, from_evaluator, to_evaluator, from_participant):
            os.close(fd)
        try:
            judging.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            playing.kill()  # the participant's own time limit
            judging.wait(timeout=60)
        try:
            playing.wait(timeout=2)  # the grace after an evaluator that is through
        except subprocess.TimeoutExpired:
            playing.kill()
    result = json.loads((place / "result.json").read_text())
    return Session(judging.returncode, playing.returncode, result)


def test_every_solution_is_listed_and_every_listed_one_exists():
    assert {path.name for path in (PROPOSAL / "solutions").iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("mode", ["validation", "official"])
def test_both_sessions_give_the_same_cases_in_metadata_and_files_and_each_can_be_solved(mode, tmp_path):
    manifest = json.loads((challenge_for(mode, tmp_path / "c") / SPEC["execution"][f"{mode}_session"]).read_text())
    contents = {given["path"]: given["content"] for given in manifest["input_files"]}
    assert [case["input"] for case in manifest["metadata"]["cases"]] == list(contents)
    for content in contents.values():
        size, budget, number = map(int, content.split())
        assert 1 <= number <= size <= 10**18
        assert 2**budget > size  # halving needs no more


def test_the_official_session_is_no_part_of_the_proposal():
    public = json.loads((BUNDLE / SPEC["execution"]["validation_session"]).read_text())
    private = json.loads((OVERLAY / SPEC["execution"]["official_session"]).read_text())
    assert not (BUNDLE / SPEC["datasets"]["private_benchmark_dir"]).exists()
    assert public["session_name"] != private["session_name"]


FINDER = "import sys\nsay = lambda *words: print(*words, flush=True)\nread = lambda: sys.stdin.readline().split()\n"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "end-of-output"),
        ("import os\nos.close(0)\nos.close(1)", "end-of-output"),
        (FINDER + "read(); tag = read()[1]; say(tag, 2); read()", "out-of-range"),
        (FINDER + "read(); tag = read()[1]; say(tag, 0); read()", "out-of-range"),
        (FINDER + "read(); tag = read()[1]; say(tag, -1); read()", "not-a-guess"),
        (FINDER + "read(); tag = read()[1]; say(tag, '1e0'); read()", "not-a-guess"),
        (FINDER + "read(); tag = read()[1]; say(tag, 9 * 10**18); read()", "out-of-range"),
        (FINDER + "read(); tag = read()[1]; say(tag, '9' * 19); read()", "not-a-guess"),
        (FINDER + "read(); tag = read()[1]; say(tag + '  1'); read()", "not-a-guess"),
        (FINDER + "read(); tag = read()[1]; say(tag.upper(), 1); read()", "not-a-guess"),
        (FINDER + "read(); say(); read()", "not-a-guess"),
        (FINDER + "read(); tag = read()[1]; sys.stdout.write(tag + ' 1'); sys.exit()", "end-of-output"),
    ],
)
def test_what_is_no_guess_ends_the_session_with_its_reason(source, reason, tmp_path):
    session = hold_session(tmp_path, "validation", [sys.executable, "-c", source])
    first, *rest = session.result["public_results"]
    assert session.evaluator_code == 0
    assert first["message"] == reason
    assert {case["message"] for case in rest} == {"not-played"}


def test_a_tag_of_an_earlier_case_is_no_longer_good(tmp_path):
    source = FINDER + "read(); tag = read()[1]; say(tag, 1); read(); read(); say(tag, 50); read()"
    session = hold_session(tmp_path, "validation", [sys.executable, "-c", source])
    assert [case["status"] for case in session.result["public_results"]] == ["passed", "failed", "failed", "failed"]
    assert session.result["public_results"][1]["message"] == "not-a-guess"


def test_a_judge_without_a_compiler_blames_nobody_else(tmp_path):
    command = evaluator_command(tmp_path, "validation")
    done = subprocess.run(command, check=False, capture_output=True, env={"PATH": str(tmp_path)}, input=b"")
    assert done.returncode != 0
    assert not (tmp_path / "result.json").exists()
