"""Why a trial did not pass, as the run directory and JSON have it: made from evidence, bounded, never public."""

from __future__ import annotations

import hashlib
import json

import pytest

from agentics.model.evidence.explanation import Explanation
from agentics.rundir.integrity.verify import verify
from agentics.sandbox.labels import TRIAL as TRIAL_LABEL
from agentics.usecases.control_run import rebuild
from tests.fake_engine import exited, mounted, writes
from tests.runner.lab import evaluator

TRIAL = "outputs/r/trials/trial_1"
SAID = [
    {"case_name": "case-1", "status": "passed", "score": 1.0},
    {"case_name": "case-2", "status": "failed", "score": 0.0, "message": "line 1 is wrong"},
    {"case_name": "case-3", "status": "failed", "score": 0.25, "message": "line 9 is wrong"},
]


def says(stdout="two\n", stderr="a warning\n", then=None, **files):
    """A solution that writes this in every case."""
    return writes({"/io/stdout.txt": stdout, "/io/stderr.txt": stderr, **files}, then)


@pytest.fixture
def failed(lab):
    """A run of which two cases of three failed."""
    lab.bundle("one")
    lab.engine.behaviours |= {
        "run": says(**{"/io/output/picture.txt": "a picture"}),
        "separated-evaluator": evaluator(1, public_results=SAID, logs=["1 of 3 solved"]),
    }
    lab.said = lab.eval("one", "--json")
    assert lab.said.status == 1
    return lab


def explanation(lab, trial=TRIAL):
    return Explanation.model_validate_json((lab.home / trial / "explanation.json").read_bytes())


def cases(lab):
    root = lab.home / TRIAL / "cases"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_files_of_cases_that_are_not_passed_can_be_opened_by_their_names(failed):
    own = {
        "stdin.txt": b"2\n",
        "stdout.txt": b"two\n",
        "stderr.txt": b"a warning\n",
        "output/picture.txt": b"a picture",
    }
    found = cases(failed)
    assert {path.removeprefix("case-2/"): data for path, data in found.items() if path.startswith("case-2/")} == own
    assert {path.partition("/")[0] for path in found} == {"case-2", "case-3"}


def test_an_explanation_has_the_evaluators_words_what_the_solution_wrote_and_where_the_whole_is(failed):
    told = explanation(failed)
    assert (told.status, told.reason, told.mode, told.matched, told.cases_total) == (
        "failed",
        "verdict_fail",
        "validation",
        "name",
        3,
    )
    second, third = told.cases
    assert (second.name, second.alias, second.evaluator.message) == ("case-2", "run-0002", "line 1 is wrong")
    assert (third.evaluator.status, third.evaluator.score) == ("failed", 0.25)
    assert (second.measured.ending, second.measured.time_limit_s) == ("ran (0.01 of 3 s)", 3)
    assert (second.stdin.text, second.stdout.text, second.stderr.text) == ("2\n", "two\n", "a warning\n")
    run = failed.home / "outputs/r"
    assert (run / second.stdout.file).read_bytes() == (run / second.stdout.whole).read_bytes() == b"two\n"
    assert [file.path for file in second.left] == ["output/picture.txt"]
    assert told.evaluator.logs == ("1 of 3 solved",)
    assert not told.private


def test_json_has_the_explanation_and_outcomes_the_evaluators_words(failed):
    assert failed.said.json["explanations"] == {
        "mine": {"one.linux-arm64-cpu": [json.loads((failed.home / TRIAL / "explanation.json").read_bytes())]}
    }
    task = failed.said.json["outcomes"]["mine"]["tasks"]["one.linux-arm64-cpu"]
    assert task["subtasks"]["case-2"]["message"] == "line 1 is wrong"
    assert failed.outcome()["tasks"]["one.linux-arm64-cpu"] == task
    shown = failed("run", "show", "outputs/r", "--json").json["mine"]
    assert shown["explanations"] == failed.said.json["explanations"]["mine"]


def test_the_log_has_the_evaluators_words_on_each_case(failed):
    log = (failed.home / TRIAL / "harness_stdout.log").read_text()
    assert "case-2: failed, score 0: line 1 is wrong\n" in log
    assert "ran (0.01 of 3 s)" in log


def test_nothing_of_an_explanation_is_public(failed):
    public = b"".join(path.read_bytes() for path in (failed.home / "outputs/r/public").rglob("*") if path.is_file())
    assert b"case-2" in public
    for word in (b"is wrong", b"a warning", b"picture", b"1 of 3 solved"):
        assert word not in public


def test_what_passed_is_not_explained(lab):
    lab.bundle("one")
    said = lab.eval("one", "--json")
    assert said.json["explanations"] == {"mine": {}}
    assert not (lab.home / TRIAL / "explanation.json").exists()
    assert not (lab.home / TRIAL / "cases").exists()


def test_an_explanation_goes_with_the_attempt_that_it_is_about(failed):
    failed.engine.behaviours["separated-evaluator"] = evaluator()
    assert failed.eval("one").status == 0
    assert not (failed.home / TRIAL / "explanation.json").exists()
    assert not (failed.home / TRIAL / "cases").exists()
    assert verify(failed.home / "outputs/r").altered == ()


def test_an_explanation_is_there_and_goes_as_soon_as_its_trial_has_ended(lab):
    """Not only at the end of the run, which may take hours."""
    there = []

    def looks(container):
        there.append((lab.home / TRIAL / "explanation.json").exists() and (lab.home / TRIAL / "cases/case-1").is_dir())
        return evaluator(0)(container)

    for name in ("one", "two"):
        lab.bundle(name)
    for first in (0, 3):
        judge = evaluator(first)
        lab.engine.behaviours |= {
            "run": says(),
            "separated-evaluator": lambda c, judge=judge: judge(c) if c.labels[TRIAL_LABEL] == "trial_1" else looks(c),
        }
        lab.eval("one", "two")
    assert there == [True, False]


def test_explanations_are_rebuilt_from_the_evidence_to_the_byte(failed):
    root = failed.home / "outputs/r"
    before, told = cases(failed), explanation(failed)
    (failed.home / TRIAL / "explanation.json").unlink()
    (failed.home / TRIAL / "cases/case-2/stdin.txt").write_bytes(b"another question\n")
    (failed.home / TRIAL / "cases/case-3/stdout.txt").unlink()
    (failed.home / TRIAL / "cases/invented").mkdir()
    (failed.home / TRIAL / "cases/invented/stdout.txt").write_bytes(b"invented")
    changed = [path.removeprefix("trials/trial_1/") for path in rebuild(root)]
    assert sorted(changed) == [
        "cases/case-2/stdin.txt",
        "cases/case-3/stdout.txt",
        "cases/invented/stdout.txt",
        "explanation.json",
    ]
    assert (cases(failed), explanation(failed)) == (before, told)
    assert not (failed.home / TRIAL / "cases/invented").exists()


def test_an_edited_copy_is_noticed_and_leaves_the_evidence_as_it_is(failed):
    copy, root = failed.home / TRIAL / "cases/case-2/stdout.txt", failed.home / "outputs/r"
    copy.write_bytes(b"what it should have been\n")
    blob = root / "artifacts/sha256" / hashlib.sha256(b"two\n").hexdigest() / "blob"
    assert blob.read_bytes() == b"two\n"
    assert [each.path for each in verify(root).altered] == ["trials/trial_1/cases/case-2/stdout.txt"]


def test_a_long_output_is_shown_by_its_end_with_the_path_to_the_whole(lab):
    lab.bundle("one", cases=1)
    lab.engine.behaviours |= {
        "run": says("".join(f"{n}\n" for n in range(100_000))),
        "separated-evaluator": evaluator(0),
    }
    lab.eval("one")
    (case,) = explanation(lab).cases
    assert (case.stdout.size_bytes, case.stdout.left_out) == (588_890, "start")
    assert case.stdout.text.endswith("99998\n99999\n")
    head, _, rest = (lab.home / "outputs/r" / case.stdout.file).read_text().partition("\n")
    assert (
        head == f"[agentics: the start is left out; these are the last 65536 bytes; the whole is {case.stdout.whole}]"
    )
    assert rest.endswith("99998\n99999\n")
    assert (lab.home / "outputs/r" / case.stdout.whole).stat().st_size == 588_890


def test_a_long_input_is_shown_by_its_start(lab):
    lab.bundle("one", cases=1, stdin="".join(f"{n}\n" for n in range(100_000)))
    lab.engine.behaviours |= {"run": says(), "separated-evaluator": evaluator(0)}
    lab.eval("one")
    (case,) = explanation(lab).cases
    assert (case.stdin.size_bytes, case.stdin.left_out) == (588_890, "end")
    assert case.stdin.text.startswith("0\n1\n2\n")
    assert (lab.home / "outputs/r" / case.stdin.file).read_text().startswith("0\n1\n2\n")


def test_what_a_refused_case_wrote_is_kept_by_its_end(lab):
    def leaves_a_link(container):
        says("so far\n", "and then\n")(container)
        mounted(container, "/io/output/link").symlink_to("/etc/passwd")
        return exited()

    lab.bundle("one", cases=1)
    lab.engine.behaviours |= {"run": leaves_a_link, "separated-evaluator": evaluator(0)}
    lab.eval("one")
    (case,) = explanation(lab).cases
    assert (case.violation.kind, case.measured.ending) == ("link", "refused: link (0.01 of 3 s)")
    assert (case.stdout.text, case.stderr.text) == ("so far\n", "and then\n")
    assert cases(lab)["case-1/stderr.txt"] == b"and then\n"


def test_names_that_a_participant_chose_stay_below_the_cases_folder(lab):
    names = ("output/a b.txt", "output/-rf", "output/.hidden", "output/deep/er/file.txt")
    lab.bundle("one", cases=1)
    lab.engine.behaviours |= {
        "run": says(**{f"/io/{name}": name for name in names}),
        "separated-evaluator": evaluator(0),
    }
    lab.eval("one")
    found = sorted(cases(lab))
    assert found == [
        f"case-1/{name}" for name in sorted({*names, "stdin.txt", "stdout.txt", "stderr.txt"} - {"output/.hidden"})
    ]
    assert {file.path for file in explanation(lab).cases[0].left} == set(names)


def test_hints_come_from_what_was_seen_and_change_no_status(lab):
    lab.bundle("one")
    crash = says("", "python3: can't open file '/workspace/solve.py\\r': [Errno 2]\n", exited(2))
    lab.engine.behaviours |= {"run": crash, "separated-evaluator": evaluator(0)}
    lab.eval("one")
    told = explanation(lab)
    assert [(hint.code, hint.cases) for hint in told.hints] == [("crlf", ("case-1", "case-2", "case-3"))]
    assert (told.status, told.reason, told.fault) == ("failed", "all_samples_failed", "participant")


@pytest.mark.parametrize("phase", ["setup", "build"])
def test_a_script_that_fails_before_the_cases_is_told_with_the_end_of_its_log(lab, phase):
    manifest = {"protocol": "zip_project", "protocol_version": 1, "commands": {"run": "run.sh", phase: "script.sh"}}
    (lab.home / "mine" / "agentics.solution.json").write_text(json.dumps(manifest))
    (lab.home / "mine" / "script.sh").write_bytes(b"make\r\n")
    lab.bundle("one")
    lab.engine.behaviours[phase] = lambda _: exited(
        127, log=b"line 1: $'make\\r': command not found\n", log_bytes_seen=38
    )
    lab.eval("one")
    told = explanation(lab)
    (container,) = told.containers
    assert container.role == f"solution {phase}"
    assert container.measured.ending.startswith("crashed (exit code 127 after 0.01 of ")
    assert container.log.text == "line 1: $'make\\r': command not found\n"
    assert told.hints[0].code == "crlf"


def test_a_result_that_is_invalid_says_what_is_wrong_with_it(lab):
    lab.bundle("one")
    lab.engine.behaviours["separated-evaluator"] = evaluator(aggregate_metrics=[{"metric_name": "speed", "value": 1}])
    lab.eval("one")
    told = explanation(lab)
    assert told.reason == "result_invalid"
    assert "metric 'speed' is not declared" in told.message


def test_an_official_explanation_is_private_and_what_may_leave_holds_figures_only(lab):
    lab.bundle("one", stdin="the secret question\n")
    said = [{**each, "message": "the secret answer"} for each in SAID]
    lab.engine.behaviours |= {
        "run": says("guessed\n", then=exited(1)),
        "separated-evaluator": evaluator(1, public_results=said, logs=["the secret log"]),
    }
    envelope = lab.eval("one", "--mode", "official", "--json")
    told = explanation(lab)
    assert told.private
    assert [case.evaluator.message for case in told.cases if case.evaluator.status == "failed"] == [
        "the secret answer"
    ] * 2
    ((outward,),) = envelope.json["explanations"]["mine"].values()
    assert outward["withheld"] == "trials/trial_1/explanation.json"
    assert [(case["name"], case["measured"]["exit_code"]) for case in outward["cases"]] == [
        (f"run-000{n}", 1) for n in (1, 2, 3)
    ]
    assert not {"secret", "case-1", "guessed"} & {
        word for word in ("secret", "case-1", "guessed") if word in envelope.out
    }
    # The overlay has the inputs. Only their sizes are kept.
    assert not [
        path for path in (lab.home / "outputs").rglob("*") if path.is_file() and b"secret question" in path.read_bytes()
    ]
    assert cases(lab)["case-2/stdout.txt"] == b"guessed\n"
    assert (lab.home / "outputs/r/trials").stat().st_mode & 0o777 == 0o700


def test_forks_and_replays_are_explained_beside_their_parents(failed):
    said = failed("run", "replay", "outputs/r", "--trial-id", "trial_1", "--json")
    assert said.status == 0
    (place,) = (failed.home / "outputs/r/replays").iterdir()
    told = explanation(failed, f"outputs/r/replays/{place.name}/trial_1")
    assert told.cases[0].folder == f"replays/{place.name}/trial_1/cases/case-2"
    assert (place / "trial_1").stat().st_mode & 0o777 == 0o700
    assert (failed.home / "outputs/r" / told.cases[0].stdout.file).read_bytes() == b"two\n"
    assert verify(failed.home / "outputs/r").altered == ()
    assert rebuild(failed.home / "outputs/r") == ()


def test_every_file_of_an_explained_run_is_one_that_the_directory_knows(failed):
    assert verify(failed.home / "outputs/r").notes == ()
    assert failed("schema", "validate", "outputs/r").status == 0
