"""What judges say becomes a number between 0 and 1, or a reason why not; never a zero for want of a verdict."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agentics.errors import ConfigError, InvalidDocument
from agentics.lighteval.judge_templates import judge_templates
from agentics.model.job.judge_template import JudgeTemplate, repeats_a_repetition
from agentics.policy.jobs.judge_parsing import READ, Unread, read_verdict

SHIPPED = judge_templates()


def template(parse, scale=(0.0, 1.0), content="{answer}"):
    said = {"id": "t", "version": "1", "messages": [{"role": "user", "content": content}], "parse": parse}
    return JudgeTemplate.model_validate({**said, "scale": scale})


NUMBER = template({"kind": "regex", "pattern": r"score:\s*(\S+)"}, (0.0, 10.0))
FIELD = template({"kind": "json", "field": "score"}, (0.0, 10.0))
TRUTH = template({"kind": "json", "field": "ok", "labels": {"true": 1.0, "false": 0.0}})

READINGS = [
    ("correct-or-not", "VERDICT: CORRECT", 1.0),
    ("correct-or-not", "verdict: incorrect", 0.0),
    ("correct-or-not", "**Verdict:** CORRECT", 1.0),
    ("correct-or-not", "**VERDICT**: **CORRECT**.", 1.0),
    ("correct-or-not", "```\nVERDICT:\n CORRECT\n```", 1.0),
    ("correct-or-not", "First I thought VERDICT: CORRECT, but no.\nVERDICT: INCORRECT", 0.0),
    ("correct-or-not", "VERDICT: NOT CORRECT", Unread("no_match")),
    ("correct-or-not", "The answer is correct", Unread("no_match")),
    ("correct-or-not", "", Unread("no_match")),
    ("correct-or-not", "<think>VERDICT: INCORRECT</think> VERDICT: CORRECT", 1.0),
    ("correct-or-not", "<think>VERDICT: CORRECT, or is it", Unread("no_match")),
    ("choice-abc", "GRADE: A", 1.0),
    ("choice-abc", "grade: (b)", 0.0),
    ("choice-abc", "GRADE: All of it is right", Unread("no_match")),
    ("rating-1-10", "Good.\nRating: [[10]]", 1.0),
    ("rating-1-10", "Rating: [[ 1 ]]", 0.0),
    ("rating-1-10", "Rating: [[5.5]]", 0.5),
    ("rating-1-10", "Rating: [[11]]", Unread("out_of_scale")),
    ("rating-1-10", "Rating: [[0]]", Unread("out_of_scale")),
    ("json-score", '{"score": 0.25}', 0.25),
    ("json-score", '```json\n{"score": "1"}\n```', 1.0),
    (NUMBER, "score: 5", 0.5),
    (NUMBER, "SCORE: 1e1", 1.0),
    (NUMBER, "score: nan", Unread("not_a_number")),
    (NUMBER, "score: inf", Unread("not_a_number")),
    (NUMBER, "score: 1_0", Unread("not_a_number")),
    (NUMBER, "score: five", Unread("not_a_number")),
    (FIELD, 'Thus {"score": 2} or rather {"score": 7}', 0.7),
    (FIELD, '{"reason": "a } brace", "score": 7}', 0.7),
    (FIELD, '{"score": 3} and {"other": 9}', 0.3),
    (FIELD, '{"score": 3', Unread("no_match")),
    (FIELD, '{"score": null}', Unread("not_a_number")),
    (FIELD, '{"score": true}', Unread("not_a_number")),
    (FIELD, '{"score": [1]}', Unread("not_a_number")),
    (FIELD, '{"score": NaN}', Unread("not_a_number")),
    (FIELD, '{"score": 1e999}', Unread("not_a_number")),
    (FIELD, '{"score": ' + "9" * 5000 + "}", Unread("no_match")),
    (FIELD, '{"a":' * 3000, Unread("no_match")),
    (FIELD, "{" * READ, Unread("no_match")),
    (TRUTH, '{"ok": true}', 1.0),
    (TRUTH, '{"ok": "FALSE"}', 0.0),
    (TRUTH, '{"ok": "maybe"}', Unread("unknown_label")),
]


@pytest.mark.parametrize(("rule", "text", "value"), READINGS, ids=[f"{row[1][:40]!r}" for row in READINGS])
def test_what_a_judge_says_is_read(rule, text, value):
    found = read_verdict(SHIPPED[rule] if isinstance(rule, str) else rule, text)
    assert found == (value if isinstance(value, Unread) else pytest.approx(value))


def test_only_the_end_of_a_long_text_is_looked_at():
    assert read_verdict(NUMBER, "score: 5" + " " * READ) == Unread("no_match")
    assert read_verdict(NUMBER, "x" * 10 * READ + " score: 5") == 0.5


@given(st.text(max_size=200), st.sampled_from([*SHIPPED.values(), NUMBER, FIELD, TRUTH]))
def test_whatever_a_judge_says_it_is_a_share_or_a_reason(text, rule):
    found = read_verdict(rule, text)
    assert isinstance(found, Unread) or 0 <= found <= 1


@given(st.integers(-5, 15))
def test_a_number_is_read_exactly_when_the_scale_has_it(number):
    found = read_verdict(FIELD, json.dumps({"score": number}))
    assert found == (number / 10 if 0 <= number <= 10 else Unread("out_of_scale"))


BAD = [
    ({"kind": "regex", "pattern": "("}, {}, "bad_pattern"),
    ({"kind": "regex", "pattern": "[[a]"}, {}, "bad_pattern"),
    ({"kind": "regex", "pattern": "(a+)+b"}, {}, "slow_pattern"),
    ({"kind": "json", "field": "x", "labels": {"A": 2.0}}, {}, "bad_scale"),
    ({"kind": "json", "field": "x", "labels": {"A": 1.0, "a": 0.0}}, {}, "bad_labels"),
    ({"kind": "json", "field": "x", "labels": {}}, {}, "bad_labels"),
    ({"kind": "json", "field": "x"}, {"scale": (1.0, 1.0)}, "bad_scale"),
    ({"kind": "json", "field": "x"}, {"scale": (-1.7e308, 1.7e308)}, "bad_scale"),
    ({"kind": "json", "field": "x"}, {"content": "Is it right?"}, "no_answer"),
    ({"kind": "json", "field": "x"}, {"content": "{answer} {questoin}"}, "unknown_placeholder"),
    ({"kind": "json", "field": ""}, {}, "string_too_short"),
    ({"kind": "vote"}, {}, "union_tag_invalid"),
]


@pytest.mark.parametrize(("parse", "more", "code"), BAD)
def test_a_template_that_could_not_work_is_refused(parse, more, code):
    with pytest.raises(ValidationError) as caught:
        template(parse, **more)
    assert [error["type"] for error in caught.value.errors()] == [code]


def test_braces_around_other_words_are_text():
    assert template({"kind": "json", "field": "x"}, content="{answer} Reply {x}")


@pytest.mark.parametrize(
    "pattern", ["(a+)+", "(?:a*b)*", "((a+)b)+", r"(\w+\s)*x", "(a{1,5}){2,}", "(?P<n>a+){3}", "([)]+)+", "(a++)*"]
)
def test_a_repeated_repetition_is_found(pattern):
    assert repeats_a_repetition(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["a+b+", r"(\d+(?:\.\d+)?)", r"(a\+)+", "([a+])+", "(ab)+c*", "(a{3})+", "(a+)(b)+", "(?#a+)+", "(a{})+", "(a+)b+"],
)
def test_other_patterns_may_repeat(pattern):
    assert not repeats_a_repetition(pattern)


def test_templates_of_the_operator_are_known_beside_the_shipped_ones(tmp_path):
    own = template({"kind": "json", "field": "x"})
    (tmp_path / "own.json").write_text(own.model_dump_json())
    assert judge_templates([tmp_path]) == {**SHIPPED, "t": own}


def test_an_id_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "again.json").write_text(SHIPPED["json-score"].model_dump_json())
    with pytest.raises(ConfigError, match="another judge template 'json-score'"):
        judge_templates([tmp_path])


def test_a_damaged_template_is_refused_with_its_place(tmp_path):
    (tmp_path / "bad.json").write_text('{"id": "x"}')
    with pytest.raises(InvalidDocument, match=r"bad\.json"):
        judge_templates([tmp_path])
