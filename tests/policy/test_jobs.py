"""The result of a model on a task, and the one table of its status: who did not answer is counted, never scored."""

from __future__ import annotations

import pytest

from agentics.model.evidence.trial_evidence import JobFacts
from agentics.model.job.job_result import JobResult
from agentics.model.job.worker_protocol import MetricValue, TokenUsage
from agentics.policy.jobs.job_result import JUDGED, judge_job
from tests.policy.jobfacts import (
    ALL_HASHES,
    answer,
    job_facts,
    judgement,
    judgements,
    jury,
    result,
    seed_report,
)


def answers(letters, **more):
    """A answered, E empty, F failed; digits of a code: u unauthorized."""
    status = {"A": "answered", "E": "empty", "F": "failed", "u": "failed", "n": "failed"}
    codes = {"u": "unauthorized", "n": "not_found"}
    return [
        answer(doc, status[letter], code=codes.get(letter, "timeout"), **more) for doc, letter in enumerate(letters)
    ]


def status(found, *, endpoint=True):
    said = judge_job(JobFacts(result=found), endpoint=endpoint)
    return said.status, said.reason, said.fault, said.outcome


PASSED = ("passed", None, None, "success")
PARTIAL = ("degraded", "partial_errors", None, "success")
LOST = ("degraded", "partial_errors", "infrastructure", "success")

STATUSES = [
    ("AAAA", True, PASSED),
    ("A", True, PASSED),
    ("AAAF", True, LOST),
    ("AFFF", True, LOST),
    ("AAAu", True, LOST),
    ("FFFF", True, ("error", "timeout", "infrastructure", "error")),
    ("uuuu", True, ("error", "unauthorized", "user", "error")),
    ("nnnn", True, ("error", "not_found", "user", "error")),
    ("uunn", True, ("error", "all_connectivity_errors", "user", "error")),
    ("uuFF", True, ("error", "all_connectivity_errors", "infrastructure", "error")),
    ("FFFF", False, ("error", "timeout", "infrastructure", "error")),
    ("AAAE", True, PARTIAL),
    ("AAAE", False, PASSED),
    ("EEEE", True, ("failed", "all_invalid_responses", "participant", "failure")),
    ("EEEE", False, PASSED),
    ("AEFF", True, LOST),
    ("EEFF", True, ("error", "no_valid_samples", "infrastructure", "error")),
    ("EEFF", False, LOST),
    ("", True, ("no_samples", "no_samples", None, "missing")),
    ("", False, ("no_samples", "no_samples", None, "missing")),
]


@pytest.mark.parametrize(("letters", "endpoint", "expected"), STATUSES)
def test_the_status_follows_from_what_was_answered(letters, endpoint, expected):
    assert status(result(answers(letters)), endpoint=endpoint) == expected


@pytest.mark.parametrize(
    ("cut", "allowed", "expected", "count"),
    [
        ((None, None), False, PASSED, None),
        ((False, False), False, PASSED, 0),
        ((True, False), False, ("degraded", "prompts_truncated", None, "success"), 1),
        ((True, None), True, PASSED, 1),
    ],
)
def test_prompts_that_were_cut_degrade_a_task_unless_the_job_allows_it(cut, allowed, expected, count):
    told = [answer(doc, truncated=each) for doc, each in enumerate(cut)]
    found = result(told, allow_truncated_prompts=allowed)
    assert status(found) == expected
    assert found.ends.truncated == count


def test_why_texts_ended_and_refusals_are_counted():
    told = [
        answer(0, finish_reasons=("stop", "length")),
        answer(1, finish_reasons=("content_filter",)),
        answer(2, finish_reasons=("stop", None), refusals=("I cannot say that", None)),
        answer(3),
    ]
    ends = result(told).ends
    assert ends.finish_reasons == {"content_filter": 1, "length": 1, "stop": 2}
    assert ends.refused == 2


YES_NO = [
    # what was answered, then each judge's word for each answer
    ("AAA", {"a": "YNY"}, PASSED),
    ("AAA", {"a": "YN?"}, PARTIAL),
    ("AAA", {"a": "YN!"}, LOST),
    ("AAA", {"a": "YN-"}, PARTIAL),
    ("AAA", {"a": "!!!"}, ("error", "judge_failed", "infrastructure", "error")),
    ("AAA", {"a": "???"}, ("error", "judge_failed", "infrastructure", "error")),
    ("AAA", {"a": "---"}, ("error", "judge_failed", "infrastructure", "error")),
    ("AAA", {"a": "YNY", "b": "!!!"}, ("error", "judge_failed", "infrastructure", "error")),
    ("AAA", {"a": "YNY", "b": "???"}, ("error", "judge_failed", "infrastructure", "error")),
    ("AAA", {"a": "YNY", "b": "!NY"}, LOST),
    ("AAA", {"a": "YNY", "b": "?NY"}, PARTIAL),
    ("AAA", {"a": "YNY", "b": "NNY"}, PARTIAL),
    ("AAA", {"a": "YNY", "b": "NYN"}, ("error", "judges_tied", "user", "error")),
    ("AA", {"a": "YY", "b": "N!"}, ("error", "judge_failed", "infrastructure", "error")),
    ("AAE", {"a": "YN-"}, PARTIAL),
    ("EEE", {"a": "---"}, ("failed", "all_invalid_responses", "participant", "failure")),
    ("AAF", {"a": "YN-"}, LOST),
    ("FFF", {"a": "---"}, ("error", "timeout", "infrastructure", "error")),
    ("", {"a": ""}, ("no_samples", "no_samples", None, "missing")),
]


@pytest.mark.parametrize(("letters", "words", "expected"), YES_NO)
def test_the_status_follows_from_what_could_be_judged(letters, words, expected):
    found = result(answers(letters), said=judgements(**words), judges=jury(*words))
    assert status(found, endpoint=False) == expected


def test_judges_that_were_all_refused_are_the_users_to_mend():
    said = [judgement("a", doc, None, code="unauthorized") for doc in range(3)]
    assert status(result(answers("AAA"), said=said, judges=jury("a")))[:3] == ("error", "judge_failed", "user")


def test_a_result_that_is_missing_or_without_any_metric_is_no_pass():
    assert status(None)[:2] == ("error", "result_missing")
    found = result(answers("AA"), facts=job_facts(answers("AA"), seeds=[seed_report(em=MetricValue(value=None, n=2))]))
    assert status(found) == ("error", "no_metrics", "challenge", "error")


def test_d12_a_jury_of_three_with_a_tie_and_a_failing_judge_is_reported_whole():
    words = judgements(a="YYN", b="YNN", c="!!!")
    found = result(answers("AAA"), said=words, judges=jury("a", "b", "c", min_judges=2))
    assert found.metrics[JUDGED].mean == pytest.approx(0.5), "the tie is left out, not a zero"
    assert found.metrics[JUDGED].seeds[0].n == 2
    assert (found.jury.judged, found.jury.unjudged, found.jury.ties) == (2, 1, 1)
    assert found.jury.disagreement == pytest.approx(0.5 / 3)
    assert found.jury.agreement == pytest.approx(2 / 3)
    assert found.jury.alpha == pytest.approx(1 - (2 / 6) / (2 * 1.5 / 5))
    failing = found.judges[2]
    assert (failing.name, failing.asked, failing.answered, failing.failed) == ("c", 3, 0, 3)
    assert (failing.mean, failing.errors) == (None, {"timeout": 3})
    assert status(found)[:2] == ("degraded", "partial_errors")


def test_d12_weights_break_a_tie():
    words = judgements(a="YY", b="NN", c="!!")
    found = result(answers("AA"), said=words, judges=jury("a", "b", "c", weights={"a": 2.0}, min_judges=2))
    assert (found.metrics[JUDGED].mean, found.jury.ties) == (1.0, 0)
    assert status(found) == PASSED


def test_an_answer_that_too_few_judges_gave_a_verdict_on_has_none():
    words = judgements(a="YYYY", b="!YNY", c="??YY")
    found = result(answers("AAAA"), said=words, judges=jury("a", "b", "c"))
    assert (found.metrics[JUDGED].mean, found.metrics[JUDGED].seeds[0].n) == (1.0, 2)
    assert (found.jury.judged, found.jury.short, found.jury.ties, found.jury.min_judges) == (2, 2, 0, 3)
    fewer = result(answers("AAAA"), said=words, judges=jury("a", "b", "c", min_judges=2))
    assert (fewer.jury.judged, fewer.jury.short, fewer.jury.ties) == (3, 1, 0)
    one = result(answers("AAAA"), said=words, judges=jury("a", "b", "c", min_judges=1))
    assert (one.jury.judged, one.jury.short) == (4, 0)


def test_a_tie_is_no_failure_of_a_judge_that_failed_elsewhere():
    words = judgements(a="YYY", b="NYN", c="!Y!")
    found = result(answers("AAA"), said=words, judges=jury("a", "b", "c", min_judges=2))
    assert (found.jury.ties, found.jury.short) == (2, 0)
    assert status(found) == PARTIAL


def test_what_could_not_be_read_is_counted_with_its_reason_and_left_out():
    found = result(answers("AAA"), said=judgements(a="YN?"), judges=jury("a"))
    judge = found.judges[0]
    assert (judge.asked, judge.answered, judge.parse_failed, judge.failed) == (3, 2, 1, 0)
    assert judge.unread == {"no_match": 1}
    assert found.metrics[JUDGED].mean == 0.5


def test_documents_that_ask_the_same_are_judged_each():
    same = [answer(doc).model_copy(update={"key": "same"}) for doc in range(2)]
    said = [each.model_copy(update={"item": "same"}) for each in judgements(a="YN")]
    found = result(same, said=said, judges=jury("a"))
    assert (found.jury.judged, found.metrics[JUDGED].mean) == (2, 0.5)


def test_what_is_chosen_by_its_probability_is_not_for_judges():
    both = [answer(0), answer(1, sampling="logprobs")]
    found = result(both, said=judgements(a="Y"), judges=jury("a"))
    assert (found.jury.judged, found.jury.unjudged) == (1, 0)


def test_disagreement_is_reported_only_where_it_is_wanted():
    words = judgements(a="YY", b="NY")
    found = result(answers("AA"), said=words, judges=jury("a", "b", report_disagreement=False))
    assert (found.jury.disagreement, found.jury.agreement, found.jury.alpha) == (None, None, None)
    assert found.jury.ties == 1


def test_every_setting_of_a_judge_is_in_the_result():
    found = result(answers("A"), said=judgements(a="Y"), judges=jury("a")).judges[0]
    assert (found.model, found.template_id, found.template_version) == ("m-a", "yes-no", "1")
    assert found.template_sha256.startswith("sha256:")
    assert found.settings["max_tokens"] == 8
    assert "messages" not in found.settings


def test_seeds_are_numbered_as_the_worker_numbers_them():
    seeds = [seed_report(7), seed_report(9)]
    several = [answer(0, seed=7), answer(0, seed=9)]
    said = [judgement("a", 0, "VERDICT: YES", seed=7), judgement("a", 0, "VERDICT: NO", seed=9)]
    found = result(several, facts=job_facts(several, seeds), said=said, judges=jury("a"))
    assert [seed.value for seed in found.metrics[JUDGED].seeds] == [1.0, 0.0]


def test_a_word_of_a_judge_that_nobody_asked_is_refused():
    with pytest.raises(ValueError, match="'z' said, who is no judge"):
        result(answers("A"), said=[judgement("z", 0, "VERDICT: YES")], judges=jury("a"))


def test_over_seeds_there_is_a_mean_and_a_deviation():
    seeds = [seed_report(0, em=0.5), seed_report(1, em=0.7), seed_report(2, em=0.9)]
    found = result(answers("AA"), facts=job_facts(answers("AA"), seeds)).metrics["em"]
    assert (found.mean, found.sd, found.stderr) == (pytest.approx(0.7), pytest.approx(0.2), None)
    assert [seed.value for seed in found.seeds] == [0.5, 0.7, 0.9]


def test_one_seed_has_a_standard_error_and_no_deviation():
    found = result(answers("AA")).metrics["em"]
    assert (found.mean, found.sd, found.stderr) == (0.5, None, 0.1)


def test_a_seed_without_a_number_is_left_out_of_the_mean():
    seeds = [seed_report(0, em=0.5), seed_report(1, em=MetricValue(value=None, n=0))]
    found = result(answers("AA"), facts=job_facts(answers("AA"), seeds)).metrics["em"]
    assert (found.mean, found.sd) == (0.5, None)


def test_a_seed_that_nobody_answered_counts_in_the_coverage_and_keeps_its_place():
    seeds = [seed_report(0), seed_report(1, em=MetricValue(value=0.5, n=4))]
    found = result(answers("AA"), facts=job_facts(answers("AA"), seeds)).metrics["em"]
    assert (found.mean, found.n, found.of) == (0.5, 4, 8)
    assert [seed.n for seed in found.seeds] == [0, 4]


def test_numbers_too_large_to_add_are_no_number():
    seeds = [seed_report(0, em=1.7e308), seed_report(1, em=1.7e308)]
    assert result(answers("A"), facts=job_facts(answers("A"), seeds)).metrics["em"].mean is None


METRICS = {"f1": {"higher_is_better": True}, "ppl": {"higher_is_better": False, "aggregation": "exp"}}


@pytest.mark.parametrize(
    ("wanted", "name", "higher", "warned"), [(None, "f1", True, 0), ("ppl", "ppl", False, 0), ("gone", "f1", True, 1)]
)
def test_the_primary_metric_is_the_one_named_else_the_first(wanted, name, higher, warned):
    facts = job_facts(answers("A"), [seed_report(ppl=3.0, f1=0.5)], METRICS)
    found = result(answers("A"), facts=facts, primary_metric=wanted)
    assert (found.primary.name, found.primary.higher_is_better, len(found.warnings)) == (name, higher, warned)


def test_answers_that_were_known_cost_no_time_and_failures_have_none():
    times = [answer(n, latency_s=float(n)) for n in range(1, 21)]
    more = [answer(90, latency_s=99.0, known=True), answer(91, "failed", latency_s=60.0)]
    found = result([*times, *more])
    assert (found.latency.p50, found.latency.p95, found.latency.max) == (10.0, 19.0, 20.0)
    assert (found.answers.known, found.errors) == (1, {"timeout": 1})


def test_tokens_are_added_up_where_they_are_told():
    told = [
        answer(0, usage=TokenUsage(prompt_tokens=3, completion_tokens=2)),
        answer(1, usage=TokenUsage(prompt_tokens=4)),
    ]
    assert (result(told).prompt_tokens, result(told).completion_tokens) == (7, 2)
    assert result(answers("A")).prompt_tokens is None


@pytest.mark.parametrize(
    ("hashes", "reproducible"),
    [
        ([ALL_HASHES], True),
        ([{**ALL_HASHES, "hash_full_prompts": None}], False),
        ([{}], False),
        ([ALL_HASHES, {}], False),
        ([], False),
    ],
)
def test_reproducible_needs_all_four_hashes_of_every_seed(hashes, reproducible):
    seeds = [seed_report(n, each, em=0.5) for n, each in enumerate(hashes)]
    found = result(answers("A"), facts=job_facts(answers("A"), seeds))
    assert found.reproducible is reproducible
    assert set(found.hashes) == set(ALL_HASHES)


def test_pinned_needs_the_model_to_be_identified():
    assert result(answers("A")).pinned
    assert not result(answers("A"), model_revision=None).pinned


@pytest.mark.parametrize(
    "change",
    [
        {"comparability": {"suite": "s@1", "generation": {"temperature": 0.0}, "plugins": []}},
        {"comparability": {"suite": None, "generation": {"temperature": 1.0}, "plugins": []}},
        {"comparability": {"suite": None, "generation": {"temperature": 0.0}, "plugins": ["sha256:1"]}},
        {"scoring_mode": "judge"},
    ],
)
def test_what_must_be_the_same_changes_the_comparability_key(change):
    one, other = result(answers("A")), result(answers("A"), **change)
    assert one.comparability != other.comparability
    assert len(set(one.compared_on.items()) ^ set(other.compared_on.items())) == 2


@pytest.mark.parametrize("change", [{"model_revision": "sha256:other"}, {"primary_metric": "em"}])
def test_what_may_differ_does_not(change):
    assert result(answers("A")).comparability == result(answers("A"), **change).comparability


def test_counts_that_do_not_add_up_are_refused():
    facts = job_facts(answers("AA"))
    lying = facts.model_copy(update={"report": facts.report.model_copy(update={"asked": 3})})
    with pytest.raises(ValueError, match="do not add up"):
        result(answers("AA"), facts=lying)


@pytest.mark.parametrize("missing", ["environment", "ready", "report"])
def test_without_all_that_the_worker_tells_there_is_no_result(missing):
    facts = job_facts(answers("A")).model_copy(update={missing: None})
    with pytest.raises(ValueError, match="the worker told no report"):
        result(answers("A"), facts=facts)


def test_a_result_reads_back_as_it_was_written():
    found = result(answers("AAF"), said=judgements(a="YN"), judges=jury("a"))
    assert JobResult.model_validate_json(found.model_dump_json()) == found
