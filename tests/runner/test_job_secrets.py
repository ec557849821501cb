"""A server, a model or a worker that repeats a secret: what is written of it holds `***` in the secret's place."""

from __future__ import annotations

import json

import pytest

SECRET = 'correct-horse "battery"/ä'
SPELLINGS = (SECRET, json.dumps(SECRET)[1:-1], "battery", "correct-horse")


def assert_nowhere(home):
    """In no file of the user's folder, and in no file's name."""
    for path in home.rglob("*"):
        assert not [word for word in SPELLINGS if word in str(path)], path
        data = path.read_bytes() if path.is_file() else b""
        assert not [word for word in SPELLINGS if word.encode() in data], path


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("ACME_LOGIN", SECRET)
    monkeypatch.setenv("ACME_JUDGE", f"{SECRET}-of-the-judge\n")


def test_what_a_model_repeats_of_a_secret_is_written_nowhere(jobs):
    jobs.spec(
        secret_refs=["ACME_LOGIN"],
        options={"repeats": "ACME_LOGIN", "fails": [1]},
        artifacts={"output_dir": "artifacts", "save_details": True},
    )
    said = jobs.run("--json")
    assert said.status == 0, said.err
    assert not [word for word in SPELLINGS if word in said.out + said.err]
    assert_nowhere(jobs.home)
    (first, *_) = jobs.lab.lines("trials/trial_1/attempts/1/answers.jsonl")
    assert first["response"] == {"text": ["answer 0 ***"], "x-***": {"deep": ["***", "***"]}}
    details = jobs.lab("job", "details", "outputs/r", "--task", "one|0")
    assert "answer 0 ***" in details.out
    assert jobs.lab("run", "verify", "outputs/r").status == 0


def test_answers_that_held_a_secret_are_known_to_the_next_run(jobs):
    jobs.spec(secret_refs=["ACME_LOGIN"], options={"repeats": "ACME_LOGIN"})
    jobs.run()
    jobs.forget()
    assert jobs.run("--answers", "outputs/r", run_id="again").status == 0
    assert jobs.asked() == []
    assert_nowhere(jobs.home)


def test_an_order_that_fails_with_a_secret_in_its_message_and_traceback_is_told_without_it(jobs):
    failed = {"stage": "backend", "code": "model_failed", "message": "it said", "traceback": "File x"}
    jobs.spec(secret_refs=["ACME_LOGIN"], options={"repeats": "ACME_LOGIN", "failed": failed})
    said = jobs.run("--json")
    assert not [word for word in SPELLINGS if word in said.out + said.err]
    assert_nowhere(jobs.home)
    assert "it said ***" in said.out


def test_what_a_judge_repeats_of_its_key_is_written_nowhere(jobs):
    judge = {"judge_model_name": "kind", "base_url": "http://127.0.0.1:1/v1", "api_key_env": "ACME_JUDGE"}
    jobs.spec(scoring_mode="judge", scoring_config={"judges": [judge], "judge_template_id": "correct-or-not"})
    assert jobs.run("--json").status == 0
    assert_nowhere(jobs.home)
    (first, *_) = jobs.lab.lines("trials/trial_1/attempts/1/judgements.jsonl")
    assert first["text"] == "***\n\nVERDICT: CORRECT"


def test_what_a_worker_prints_before_it_dies_is_told_without_secrets(jobs):
    jobs.spec(secret_refs=["ACME_LOGIN"], options={"dies_saying": "ACME_LOGIN"})
    said = jobs.run("--json")
    assert jobs.result()["reason"] == "worker_died"
    assert not [word for word in SPELLINGS if word in said.out + said.err]
    assert_nowhere(jobs.home)


def test_a_line_that_breaks_the_protocol_is_quoted_without_secrets(jobs):
    jobs.spec(
        secret_refs=["ACME_LOGIN"], options={"says": [{"kind": "nonsense", "text": "it said"}], "repeats": "ACME_LOGIN"}
    )
    said = jobs.run("--json")
    assert jobs.result()["reason"] == "worker_protocol"
    assert "it said ***" in said.out
    assert_nowhere(jobs.home)
