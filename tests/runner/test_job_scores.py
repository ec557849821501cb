"""What numbers of jobs rest on: coverage, judges and juries, suites, comparisons. The worker is a script."""

from __future__ import annotations

import json

import pytest


def test_progress_tells_failures_apart_from_answers_by_their_codes(jobs):
    jobs.spec(options={"documents": 4, "fails": [1, 3], "code": "timeout"})
    assert "4/4, failed: timeout 2" in jobs.run().err
    _judged(jobs, "kind", "refuses", min_judges=1)
    assert "8/8, failed: refuses: unauthorized 4" in jobs.run(run_id="judged").err


def test_what_stands_behind_plus_minus_is_said(jobs):
    _judged(jobs, "kind", "strict", aggregation="mean")
    out = jobs.run().out
    assert "± standard error" in out
    assert "over seeds" not in out
    jobs.spec(tasks=({"id": "one", "fewshot": 1},), num_fewshot_seeds=3)
    out = jobs.run(run_id="seeds").out
    assert "± deviation over seeds" in out
    assert "standard error" not in out


def _judged(jobs, *models, mode="jury", options=None, **more):
    judges = [{"judge_model_name": model, "base_url": f"http://127.0.0.1:1{jobs.notes}"} for model in models]
    config = {"judges": judges, "judge_template_id": "correct-or-not", **more}
    return jobs.spec(scoring_mode=mode, scoring_config=config, options=options or {})


SUITE = {"schema_version": 1, "name": "pair", "version": "2.0", "aggregation": "weighted_mean", "primary_metric": "em"}


def test_some_unanswered_requests_degrade_a_job_and_are_no_zeros(jobs):
    jobs.spec(options={"documents": 4, "fails": [1, 3]})
    said = jobs.run()
    assert said.status == 0
    assert said.out.count("over 2/4") == 2, "beside every number"
    task = jobs.result()
    assert (task["primary_metric"]["n"], task["primary_metric"]["of"]) == (2, 4)
    assert (task["status"], task["reason"], task["fault"]) == ("degraded", "partial_errors", "infrastructure")
    assert task["primary_metric"]["value"] == 1.0  # of those that were answered
    assert (task["summary"]["total_samples"], task["summary"]["error_count"]) == (4, 2)


def test_cut_prompts_degrade_a_job_that_does_not_allow_them_and_refusals_are_counted(jobs):
    ends = {"truncated": True, "finish_reasons": ["length"], "refusals": ["no"]}
    jobs.spec(options={"documents": 3, "ends": ends})
    said = jobs.run("--exit-policy", "strict")
    assert said.status == 1
    assert (jobs.result()["status"], jobs.result()["reason"]) == ("degraded", "prompts_truncated")
    for line in ("3 prompts were cut", "3 answers were refused", "3 texts ended at the limit of tokens"):
        assert line in said.out
    row = jobs.lab("job", "details", "outputs/r", "--task", "one|0", "--json").json["details"][0]
    assert {name: row[name] for name in ends} == ends
    jobs.spec(options={"documents": 3, "ends": ends}, allow_truncated_prompts=True)
    assert jobs.run("--exit-policy", "strict", run_id="allowed").status == 0


def test_d12_a_jury_with_a_failing_judge_decides_and_shows_which_one_failed(jobs):
    _judged(jobs, "kind", "strict", "refuses", "mumbles", "also-kind", aggregation="majority", min_judges=3)
    assert jobs.run().status == 0
    result = jobs.evidence()["job"]["result"]
    assert result["primary"]["value"] == 1.0
    told = {judge["model"]: (judge["answered"], judge["parse_failed"], judge["failed"]) for judge in result["judges"]}
    assert told["refuses"] == (0, 0, 4)
    assert told["mumbles"] == (0, 4, 0)
    assert result["jury"]["judged"] == 4
    assert result["jury"]["disagreement"] > 0


AGAIN = [("job", "run", "job.json", "--run-id", "r", "--exit-policy", "strict"), ("run", "continue", "outputs/r")]


@pytest.mark.parametrize("again", AGAIN)
def test_judges_that_fail_leave_a_jury_without_a_verdict_and_the_next_run_asks_them_only(jobs, again, monkeypatch):
    monkeypatch.chdir(jobs.home)
    _judged(jobs, "kind", "refuses", "mumbles", aggregation="majority")
    said = jobs.run("--exit-policy", "strict")
    assert said.status != 0
    task = jobs.result()
    assert (task["status"], task["reason"], task["primary_metric"]) == ("error", "judge_failed", None)
    assert "verdicts" in said.out
    assert "0/4" in said.out
    assert "mumbles: 4 of 4 unreadable (no_match 4)" in said.out
    assert "refuses: 4 of 4 failed (unauthorized 4)" in said.out
    before = jobs.judged()
    jobs.forget()
    (jobs.notes / "mended").touch()
    assert jobs.lab(*again).status == 0
    assert jobs.asked() == []
    assert sorted(jobs.judged()) == sorted(line for line in before if not line.startswith("kind/"))
    assert jobs.result()["primary_metric"]["value"] == 1.0


def test_a_tie_is_called_a_tie(jobs):
    _judged(jobs, "kind", "strict", "refuses", aggregation="majority", min_judges=2)
    said = jobs.run()
    assert (jobs.result()["status"], jobs.result()["reason"]) == ("error", "judges_tied")
    assert "4 answers without a verdict (tie)" in said.out
    assert "server_error" not in said.out


def test_every_answer_has_its_verdict_with_what_each_judge_said(jobs):
    _judged(jobs, "kind", "refuses", "mumbles", min_judges=2)
    jobs.run()
    command = ("job", "details", "outputs/r", "--task", "one|0")
    row = jobs.lab(*command, "--json").json["details"][0]
    assert (row["metric"], row["no_verdict"]) == (None, "too_few_judges")
    told = {each["judge"]: each for each in json.loads(row["judgements"])}
    assert {name: (one["value"], one["unread"], one["error"], one["text"]) for name, one in told.items()} == {
        "kind": (1.0, None, None, "VERDICT: CORRECT"),
        "refuses": (None, None, "unauthorized", None),
        "mumbles": (None, "no_match", None, "mumble"),
    }
    assert all(one["prompt_sha256"].startswith("sha256:") for one in told.values())
    out = jobs.lab(*command).out
    for word in (
        "no verdict (too few judges)",
        "kind: 1 'VERDICT: CORRECT'",
        "refuses: unauthorized",
        "mumbles: no_match",
    ):
        assert word in " ".join(out.split()), out
    ledger = jobs.home / "outputs" / "r" / "trials" / "trial_1" / "attempts" / "1" / "verdicts.jsonl"
    verdicts = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [(one["doc_id"], one["value"], one["no_verdict"]) for one in verdicts] == [
        (str(doc), None, "too_few_judges") for doc in range(4)
    ]
    assert verdicts[0]["judges"] == json.loads(row["judgements"])
    assert jobs.lab("schema", "validate", "outputs/r").status == 0


def test_a_judge_that_never_answers_is_an_error_and_no_zero(jobs):
    _judged(jobs, "refuses", mode="judge")
    jobs.run()
    assert (jobs.result()["status"], jobs.result()["reason"]) == ("error", "judge_failed")
    assert jobs.result()["primary_metric"] is None


@pytest.mark.slow
def test_another_judge_is_asked_about_the_same_answers_without_the_model(jobs):
    _judged(jobs, "kind", mode="judge")
    jobs.run()
    jobs.forget()
    _judged(jobs, "strict", mode="judge")
    assert jobs.run("--answers", "outputs/r", run_id="strict").status == 0
    assert jobs.asked() == []
    assert jobs.result(run_id="strict")["primary_metric"]["value"] == 0.0


@pytest.mark.slow
def test_d9_scoring_modes_are_never_compared(jobs):
    jobs.spec()
    jobs.run()
    jobs.forget()
    _judged(jobs, "kind", mode="judge")
    jobs.run(run_id="judged")
    said = jobs.lab("job", "compare", "outputs/r", "outputs/judged", "--json")
    assert said.status == 2
    assert said.json["error"]["code"] == "not_comparable"
    assert jobs.lab("job", "compare", "outputs/r", "outputs/r").status == 0


@pytest.mark.slow
def test_two_jobs_are_compared_over_the_documents_that_both_answered(jobs):
    jobs.spec(options={"documents": 4, "fails": [1]})
    jobs.run()
    jobs.spec(options={"documents": 4, "fails": [3]})
    jobs.run(run_id="other")
    said = jobs.lab("job", "compare", "outputs/r", "outputs/other", "--json")
    assert said.status == 0, said.out
    (metric,) = said.json["tasks"][0]["metrics"]
    assert (metric["pairs"], metric["left_out"], metric["baseline"], metric["difference"]) == (2, 2, 1.0, 0.0)
    assert "2, 2 left out" in jobs.lab("job", "compare", "outputs/r", "outputs/other").out
    jobs.spec(options={"documents": 4, "fails": [0, 2]})
    jobs.run(run_id="rest")
    jobs.spec(options={"documents": 4, "fails": [1, 3]})
    jobs.run(run_id="half")
    said = jobs.lab("job", "compare", "outputs/rest", "outputs/half", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "not_comparable")


@pytest.mark.slow
def test_two_juries_are_compared_over_the_answers_that_both_gave_a_verdict_on(jobs):
    _judged(jobs, "kind", mode="judge")
    jobs.run()
    said = jobs.lab("job", "compare", "outputs/r", "outputs/r", "--json")
    assert said.status == 0, said.out
    (metric,) = said.json["tasks"][0]["metrics"]
    assert (metric["metric"], metric["pairs"], metric["variant"]) == ("judge_score", 4, 1.0)


def test_a_strict_suite_with_missing_answers_has_no_score(jobs):
    suites = jobs.home / "suites"
    suites.mkdir()
    (suites / "pair.json").write_text(json.dumps({**SUITE, "tasks": [{"id": "one"}]}))
    with (jobs.home / "agentics.toml").open("a") as file:
        file.write('suites = ["suites"]\n')
    jobs.spec(options={"documents": 4, "fails": [1, 3]}, benchmark_pack_id="pair@2.0")
    said = jobs.run()
    assert "suite pair@2.0: none (missing_answers), one|0 over 2/4" in said.out
    told = json.loads(next((jobs.home / "artifacts" / "r" / "results").rglob("*.json")).read_text())["agentics"]
    assert (told["suite"]["score"], told["suite"]["partial_tasks"]) == (None, ["one|0"])


@pytest.mark.parametrize(("policy", "score"), [("strict", None), ("renormalize", 0.5)])
def test_d8_a_suite_gives_one_number_and_names_the_tasks_that_are_missing(jobs, policy, score):
    suites = jobs.home / "suites"
    suites.mkdir()
    tasks = [{"id": "one", "weight": 3.0}, {"id": "two"}]
    (suites / "pair.json").write_text(json.dumps({**SUITE, "tasks": tasks, "missing_tasks": policy}))
    with (jobs.home / "agentics.toml").open("a") as file:
        file.write('suites = ["suites"]\n')
    jobs.spec(tasks=("one",), benchmark_pack_id="pair@2.0")
    told = jobs.run("--json").json["suites"]["job"]
    assert (told["score"], told["missing_tasks"]) == (score, ["two|0"])
    assert jobs.lab("schema", "validate", "outputs/r").status == 0
    jobs.spec(tasks=("three",), benchmark_pack_id="pair")
    assert "task_not_in_pack" in jobs.run("--json", run_id="other").out


def test_a_suite_that_is_two_is_an_error_wherever_it_is_named(jobs):
    suites = jobs.home / "suites"
    suites.mkdir()
    for name, weight in (("first", 1.0), ("second", 2.0)):
        tasks = [{"id": "one", "weight": weight}, {"id": "two"}]
        (suites / f"{name}.json").write_text(json.dumps({**SUITE, "tasks": tasks}))
    with (jobs.home / "agentics.toml").open("a") as file:
        file.write('suites = ["suites"]\n')
    file = jobs.spec(tasks=("one", "two"), benchmark_pack_id="pair@2.0")
    commands = (("job", "check", file), ("job", "plan", file), ("job", "run", file), ("suite", "show", "pair"))
    for command in commands:
        said = jobs.lab(*command, "--json")
        assert said.status == 2, command
        for word in ("duplicate_suite", "suites/first.json", "suites/second.json"):
            assert word in said.out, command


def test_a_suite_is_read_from_a_url(jobs):
    import fsspec

    fsspec.filesystem("memory").pipe_file("/shelf/pair.json", json.dumps({**SUITE, "tasks": [{"id": "one"}]}).encode())
    with (jobs.home / "agentics.toml").open("a") as file:
        file.write('suites = ["memory://shelf"]\n')
    assert "pair" in jobs.lab("suite", "list", "--json").out
    fsspec.filesystem("memory").store.clear()


@pytest.mark.slow
def test_d9_models_of_one_run_that_were_not_measured_alike_are_not_compared(jobs):
    jobs.spec("a")
    jobs.spec("b", max_samples=2)
    file = jobs.home / "both.yaml"
    file.write_text("name: both\njobspecs: [a.json, b.json]\ncomparison: none\n")
    assert jobs.lab("experiment", "run", file, "--run-id", "r").status == 0
    said = jobs.lab("run", "compare", "outputs/r", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "not_comparable")
    jobs.spec("c", run_name="c")
    jobs.spec("d", run_name="d")
    file.write_text("name: alike\njobspecs: [c.json, d.json]\n")
    assert jobs.lab("experiment", "run", file, "--run-id", "alike").status == 0
    assert jobs.lab("run", "compare", "outputs/alike", "--json").status == 0


def test_how_far_a_model_and_its_judges_are_is_told_as_events_once_it_is_on_disk(jobs):
    _judged(jobs, "kind", "strict", options={"documents": 4, "fails": [1]})
    jobs.run()
    lines = (jobs.home / "outputs" / "r" / "runtime" / "events.jsonl").read_text().splitlines()
    told = [event for event in map(json.loads, lines) if event["event"] == "samples_done"]
    last = {event["stage"]: event for event in told}
    keys = ("trial_id", "attempt", "done", "total", "failed")
    assert {stage: tuple(event[key] for key in keys) for stage, event in last.items()} == {
        "ask_model": ("trial_1", 1, 4, 4, 1),
        "judge_answers": ("trial_1", 1, 6, 6, 0),
    }
    assert jobs.lab("run", "verify", "outputs/r").status == 0
    assert jobs.lab("run", "rebuild", "--check", "outputs/r").status == 0
