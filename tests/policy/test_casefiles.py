"""Which cases are explained, how the evaluator's cases are matched with the runs, and which files people can open."""

from __future__ import annotations

import pytest

from agentics.model.bundle.evaluator_result import Result
from agentics.model.evidence.trial_evidence import (
    CaseRecord,
    KeptPart,
    OutputFile,
    ResultReading,
    Violation,
)
from agentics.policy.verdict.case_files import (
    FILE_BYTES,
    FILES_OF_A_CASE,
    TRIAL_BYTES,
    cases_to_explain,
    files_of,
    is_safe,
    placed,
)
from tests.policy.test_verdict import container, separated

REF = "artifact://sha256/" + "0" * 64


def run(number, **changes):
    end = changes.pop("end", {})
    facts = {"run_name": f"case-{number}", "alias": f"run-{number:04}", "interface": "stdio", "place_kind": "loop"}
    return CaseRecord(**{**facts, "container": container("run", "cases", **end), **changes})


def evidence(words, *, runs=3, status="failed", **changes):
    """An evaluator that said so of cases: (name, status) each; as many runs as said."""
    said = [{"case_name": name, "status": word, "score": 0.0, "message": f"of {name}"} for name, word in words]
    summary = {"score": 0.0, "passed": 0, "total": runs}
    document = {"status": status, "validation_summary": summary, "public_results": said}
    return separated(
        **{
            "cases": tuple(run(number) for number in range(1, runs + 1)),
            "reading": ResultReading(result=Result.model_validate(document)),
            **changes,
        }
    )


def told(found):
    return [(case.name, case.verdict and case.verdict.message) for case in found.cases]


def test_cases_are_matched_by_their_names_whatever_their_order_is():
    found = cases_to_explain(evidence([("case-3", "failed"), ("case-1", "passed"), ("case-2", "error")]))
    assert (found.matched, found.total) == ("name", 3)
    assert told(found) == [("case-2", "of case-2"), ("case-3", "of case-3")]


def test_a_case_that_the_evaluator_names_and_nobody_ran_is_told_without_a_run():
    found = cases_to_explain(evidence([("case-1", "passed"), ("overall speed", "failed")]))
    assert found.matched == "name"
    assert told(found) == [("overall speed", "of overall speed")]
    assert found.cases[0].record is None


def test_a_name_that_is_there_twice_matches_once_and_is_not_lost():
    found = cases_to_explain(evidence([("case-1", "failed"), ("case-1", "failed")]))
    assert told(found) == [("case-1", "of case-1"), ("case-1", "of case-1")]
    assert [case.record is not None for case in found.cases] == [False, True]


def test_cases_of_other_names_are_matched_by_their_order_where_the_counts_agree():
    found = cases_to_explain(evidence([("Small", "passed"), ("Middle", "failed"), ("Large", "passed")]))
    assert found.matched == "order"
    assert told(found) == [("case-2", "of Middle")]


def test_cases_that_match_nothing_are_not_guessed_and_every_run_is_shown():
    found = cases_to_explain(evidence([("Small", "failed"), ("Large", "passed")]))
    assert found.matched == "none"
    assert told(found) == [("Small", "of Small"), ("case-1", None), ("case-2", None), ("case-3", None)]


def test_without_a_word_on_any_case_every_run_may_be_the_cause():
    assert told(cases_to_explain(evidence([]))) == [("case-1", None), ("case-2", None), ("case-3", None)]
    crashed = (run(1), run(2, end={"exit_code": 1}))
    assert told(cases_to_explain(evidence([], cases=crashed))) == [("case-2", None)]


def test_a_failed_result_whose_named_cases_all_passed_shows_the_runs_of_which_nothing_was_said():
    found = cases_to_explain(evidence([("case-1", "passed")]))
    assert told(found) == [("case-2", None), ("case-3", None)]


def test_without_a_verdict_only_runs_that_ended_badly_are_shown():
    cases = (
        run(1),
        run(2, end={"ended": "timed_out", "exit_code": 124}),
        run(3, violation=Violation(kind="link", detail="x")),
    )
    found = cases_to_explain(evidence([], cases=cases, reading=None))
    assert told(found) == [("case-2", None), ("case-3", None)]


def test_a_case_that_crashed_is_shown_although_the_evaluator_passed_it():
    cases = (run(1, end={"exit_code": 1}), run(2))
    found = cases_to_explain(evidence([("case-1", "passed"), ("case-2", "passed")], status="passed", cases=cases))
    assert told(found) == [("case-1", "of case-1")]


def test_cases_without_runs_of_the_solution_are_matched_with_nothing():
    found = cases_to_explain(evidence([("narrow", "failed"), ("wide", "passed")], cases=()))
    assert (found.matched, found.total, told(found)) == (None, 2, [("narrow", "of narrow")])


def output(path, size=10):
    return OutputFile(path=path, size_bytes=size, ref=REF)


def test_the_files_of_a_case_are_its_streams_then_what_it_was_given_and_left():
    case = run(
        1,
        given=(KeptPart(path="stdin.txt", size_bytes=3, ref=REF), KeptPart(path="input/a", size_bytes=1, ref=REF)),
        files=(output("output/b"), output("stderr.txt", 0), output("stdout.txt")),
    )
    assert [file.name for file in files_of(case)] == ["stdin.txt", "stdout.txt", "stderr.txt", "input/a", "output/b"]


def test_the_tails_of_a_refused_case_stand_for_its_streams():
    tails = (KeptPart(path="stdout.txt", size_bytes=1 << 30, ref=REF), KeptPart(path="stderr.txt", size_bytes=0))
    case = run(1, violation=Violation(kind="disk_limit", detail="x"), tails=tails)
    assert [(file.name, file.size_bytes, file.is_part) for file in files_of(case)] == [("stdout.txt", 1 << 30, True)]


def test_official_inputs_of_which_only_the_size_is_kept_make_no_file():
    case = run(1, given=(KeptPart(path="stdin.txt", size_bytes=3), KeptPart(path="input/a", size_bytes=1)))
    assert list(files_of(case)) == []


@pytest.mark.parametrize(
    "path",
    [
        "../x", "output/../../x", "/etc/x", "output//x", "", ".", "output/.staging-1", ".hidden",
        "output/a\nb", "output/\x1b[31m", "output/a\\b", "output/" + "x" * 300,
    ],
)  # fmt: skip
def test_a_path_that_could_lead_elsewhere_is_left_out(path):
    assert not is_safe(path)
    assert list(files_of(run(1, files=(output(path),)))) == []


def test_a_large_file_of_a_format_of_its_own_is_left_out_and_a_large_stream_is_not():
    case = run(1, files=(output("output/big.bin", FILE_BYTES + 1), output("stdout.txt", FILE_BYTES + 1)))
    assert [file.name for file in files_of(case)] == ["stdout.txt"]


def test_the_files_of_a_case_and_of_a_trial_are_bounded():
    many = run(1, files=tuple(output(f"output/{n}") for n in range(500)))
    assert len(list(files_of(many))) == FILES_OF_A_CASE
    flood = tuple(run(n, files=(output("stdout.txt", 1 << 30),)) for n in range(1, 301))
    found = evidence([], cases=flood)
    folders = {case.run_name: f"trials/trial_1/cases/{case.run_name}" for case in flood}
    places = placed(found, cases_to_explain(found), folders)
    assert len(places) == TRIAL_BYTES // FILE_BYTES
    assert list(places) == [f"case-{n}" for n in range(1, len(places) + 1)]


def test_files_of_which_one_would_be_the_folder_of_another_are_not_both_written():
    case = run(1, files=(output("output/a"), output("output/a/b"), output("output")))
    found = evidence([("case-1", "failed")], cases=(case,))
    places = placed(found, cases_to_explain(found), {"case-1": "f"})
    assert list(places["case-1"].files) == ["output/a"]
