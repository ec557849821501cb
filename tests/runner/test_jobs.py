"""Models on tasks, as `agentics job run` evaluates them: the worker is a script, all the rest is what a user has."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading

import pytest

from agentics.rundir.reader import read_run
from tests.runner.lab import evaluator


def test_a_job_is_a_run_with_an_outcome_results_and_artifacts(jobs):
    jobs.spec(tasks=("one", {"id": "two", "fewshot": 2}))
    said = jobs.run("--json")
    assert said.status == 0, said.err
    tasks = said.json["outcomes"]["job"]["tasks"]
    assert {ref: task["status"] for ref, task in tasks.items()} == {"one|0": "passed", "two|2": "passed"}
    assert tasks["one|0"]["primary_metric"] == {"metric_name": "em", "value": 0.5, "direction": "maximize"}
    results = list((jobs.home / "artifacts" / "r" / "results").rglob("*.json"))
    assert len(results) == 1
    assert json.loads(results[0].read_text())["results"]["two|2"] == {"em": 0.5}
    assert jobs.lab("schema", "validate", "outputs/r").status == 0
    assert jobs.lab("run", "verify", "outputs/r").status == 0
    assert jobs.lab("run", "rebuild", "--check", "outputs/r").status == 0


def test_some_unanswered_requests_degrade_a_job_and_are_no_zeros(jobs):
    jobs.spec(options={"documents": 4, "fails": [1, 3]})
    assert jobs.run().status == 0
    task = jobs.result()
    assert (task["status"], task["reason"], task["fault"]) == ("degraded", "partial_errors", "infrastructure")
    assert task["primary_metric"]["value"] == 1.0  # of those that were answered
    assert (task["summary"]["total_samples"], task["summary"]["error_count"]) == (4, 2)


@pytest.mark.parametrize(("code", "fault"), [("server_error", "infrastructure"), ("unauthorized", "user")])
def test_a_job_without_an_answer_is_an_error_and_never_a_score(jobs, code, fault):
    jobs.spec(options={"documents": 2, "fails": [0, 1], "code": code})
    said = jobs.run("--exit-policy", "smoke")
    assert said.status != 0
    task = jobs.result()
    assert (task["status"], task["reason"], task["fault"]) == ("error", code, fault)
    assert task["primary_metric"] is None


@pytest.mark.parametrize(
    ("stage", "fault", "exit_code"),
    [("mapping", "user", 1), ("dataset", "challenge", 4), ("backend", "user", 1), ("internal", "infrastructure", 5)],
)
def test_an_order_that_cannot_be_carried_out_names_whose_fault_it_is(jobs, stage, fault, exit_code):
    jobs.spec(options={"failed": {"stage": stage, "code": "some_code", "message": "what it was"}})
    assert jobs.run().status == exit_code
    task = jobs.result()
    assert (task["status"], task["reason"], task["fault"]) == ("error", "some_code", fault)


def test_a_worker_that_dies_is_started_anew_and_asked_for_what_is_missing_only(jobs):
    jobs.spec(options={"documents": 5, "dies_at": 3})
    assert jobs.run().status == 0
    assert jobs.result()["status"] == "passed"
    assert jobs.asked() == [f"one/0/{index}" for index in range(5)]
    assert jobs.result()["attempts"] == 2


def test_a_worker_that_breaks_the_protocol_is_the_infrastructures_fault(jobs):
    jobs.spec(options={"says": [{"kind": "answer", "key": 3}]})
    jobs.run()
    assert (jobs.result()["reason"], jobs.result()["fault"]) == ("worker_protocol", "infrastructure")


def test_a_stopped_job_goes_on_where_it_was(jobs):
    jobs.spec(options={"documents": 4, "waits_at": 2})
    waiting = threading.Thread(target=_interrupt_once_asked, args=(jobs, 2))
    waiting.start()
    said = jobs.run()
    waiting.join()
    assert said.status == 130
    assert jobs.result()["status"] == "pending"
    (jobs.notes / "go").touch()
    assert not list((jobs.home / "artifacts" / "r").rglob("results_*"))
    jobs.forget()
    assert jobs.run().status == 0
    assert jobs.result()["status"] == "passed"
    assert jobs.asked() == ["one/0/2", "one/0/3"]


@pytest.mark.slow
def test_answers_of_another_run_are_not_asked_for_again(jobs):
    jobs.spec()
    jobs.run()
    before = jobs.asked()
    jobs.forget()
    assert jobs.run("--answers", "outputs/r", run_id="again").status == 0
    assert jobs.asked() == []
    assert before
    assert jobs.result(run_id="again")["primary_metric"] == jobs.result()["primary_metric"]


@pytest.mark.slow
def test_d7_the_jobspec_in_a_run_can_be_submitted_again_with_the_same_digests_and_scores(jobs):
    jobs.spec()
    jobs.run()
    kept = jobs.home / "outputs" / "r" / "jobs" / "job" / "jobspec.json"
    jobs.forget()
    plans = [jobs.lab("job", "plan", path, "--json").json["digests"] for path in (jobs.home / "job.json", kept)]
    assert plans[0] == plans[1]
    elsewhere = jobs.home / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(kept, elsewhere / "again.json")
    assert jobs.lab("job", "run", elsewhere / "again.json", "--run-id", "again").status == 0
    assert jobs.result(run_id="again")["primary_metric"] == jobs.result()["primary_metric"]
    assert jobs.result(run_id="again")["scope"] == jobs.result()["scope"]


@pytest.mark.slow
def test_two_jobs_of_one_experiment_share_a_worker_and_a_challenge_stands_beside_them(jobs):
    jobs.spec("small", tasks=("one", "two"))
    jobs.spec("large", tasks=("one",), options={"documents": 6})
    jobs.lab.bundle("challenge")
    jobs.lab.engine.behaviours["separated-evaluator"] = evaluator()
    file = jobs.home / "both.yaml"
    file.write_text(
        "name: both\ntasks: [challenge]\nvariants: [{solution: mine}]\njobspecs: [small.json, large.json]\n"
    )
    said = jobs.lab("experiment", "run", file, "--run-id", "r", "--json")
    assert said.status == 0, said.err
    outcomes = said.json["outcomes"]
    assert {name: list(outcome["tasks"]) for name, outcome in outcomes.items()} == {
        "mine": ["challenge.linux-arm64-cpu"],
        "small": ["one|0", "two|0"],
        "large": ["one|0"],
    }
    assert {task["status"] for outcome in outcomes.values() for task in outcome["tasks"].values()} == {"passed"}
    assert jobs.lab("schema", "validate", "outputs/r").status == 0


def test_a_job_that_changed_since_is_refused_under_the_same_run_id(jobs):
    jobs.spec(tasks=("one", "two"))
    jobs.run()
    jobs.forget()
    jobs.spec(tasks=("one", "two"), max_samples=1)
    said = jobs.run()
    assert said.status == 7
    assert "run_scope_mismatch" in jobs.run("--json").out


def test_every_seed_of_few_shot_examples_has_its_result_and_all_of_them_a_mean(jobs):
    jobs.spec(tasks=({"id": "one", "fewshot": 1},), num_fewshot_seeds=3)
    assert jobs.run().status == 0
    metric = jobs.evidence()["job"]["result"]["metrics"]["em"]
    assert (len(metric["seeds"]), metric["mean"], metric["sd"]) == (3, 0.5, 0.0)
    assert set(jobs.result("one|1")["subtasks"]) == {"seed_0", "seed_1", "seed_2"}


def _judged(jobs, *models, mode="jury", **more):
    judges = [{"judge_model_name": model, "base_url": "http://127.0.0.1:1/v1"} for model in models]
    config = {"judges": judges, "judge_template_id": "correct-or-not", **more}
    return jobs.spec(scoring_mode=mode, scoring_config=config)


def test_d12_a_jury_with_a_failing_judge_decides_and_shows_which_one_failed(jobs):
    _judged(jobs, "kind", "strict", "refuses", "mumbles", "also-kind", aggregation="majority")
    assert jobs.run().status == 0
    result = jobs.evidence()["job"]["result"]
    assert result["primary"]["value"] == 1.0
    told = {judge["model"]: (judge["answered"], judge["parse_failed"], judge["failed"]) for judge in result["judges"]}
    assert told["refuses"] == (0, 0, 4)
    assert told["mumbles"] == (0, 4, 0)
    assert result["jury"]["judged"] == 4
    assert result["jury"]["disagreement"] > 0


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


@pytest.mark.parametrize(("rows", "pages"), [(0, 1), (1, 1), (100, 1), (101, 2)])
def test_d10_details_come_in_pages(jobs, rows, pages):
    jobs.spec(options={"documents": rows})
    jobs.run()
    said = jobs.lab("job", "details", "outputs/r", "--task", "one|0", "--page-size", "100", "--json").json
    assert (said["rows"], said["pages"], len(said["details"])) == (rows, pages, min(rows, 100))
    last = jobs.lab("job", "details", "outputs/r", "--task", "one|0", "--page-size", "100", "--page", "2", "--json")
    assert len(last.json["details"]) == max(0, rows - 100)


def test_d10_a_page_of_more_than_a_hundred_is_refused_and_public_files_hold_no_details(jobs):
    jobs.spec()
    jobs.run()
    said = jobs.lab("job", "details", "outputs/r", "--task", "one|0", "--page-size", "101", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "page_size")
    public = [path.read_text() for path in (jobs.home / "outputs" / "r" / "public").rglob("*") if path.is_file()]
    assert public
    assert not any("question 1" in text or "answer 1" in text for text in public)


def test_secrets_are_handed_to_the_worker_by_name_and_written_nowhere(jobs, monkeypatch):
    monkeypatch.setenv("ACME_KEY", "correct-horse-battery")
    jobs.spec(secret_refs=["ACME_KEY"])
    assert jobs.run("--json").status == 0
    _assert_nowhere(jobs.home, "correct-horse-battery")


def test_a_secret_that_is_not_set_stops_the_job_before_anything_starts(jobs, monkeypatch):
    monkeypatch.delenv("ACME_KEY", raising=False)
    jobs.spec(secret_refs=["ACME_KEY"])
    said = jobs.run("--json")
    assert said.status == 2
    assert not (jobs.home / "outputs").exists()


def test_a_worker_that_is_not_there_is_an_error_with_a_hint(jobs):
    text = (jobs.home / "agentics.toml").read_text()
    (jobs.home / "agentics.toml").write_text(text.replace("fake_worker.py", "no_worker.py"))
    jobs.spec()
    jobs.run()
    assert jobs.result()["reason"] == "worker_missing"


def test_what_is_left_half_published_is_no_result_and_the_next_run_completes_it(jobs):
    jobs.spec(artifacts={"output_dir": "artifacts", "save_details": True})
    (jobs.home / "artifacts" / "r").mkdir(parents=True)
    (jobs.home / "artifacts" / "r" / "results").write_text("in the way")
    said = jobs.run()
    assert said.status == 5
    assert read_run(jobs.home / "outputs" / "r").control.status == "failed"
    (jobs.home / "artifacts" / "r" / "results").unlink()
    asked = jobs.asked()
    jobs.forget()
    assert jobs.run().status == 0
    assert jobs.asked() == []
    assert asked
    assert len(list((jobs.home / "artifacts" / "r" / "results").rglob("*.json"))) == 1


def _interrupt_once_asked(jobs, count):
    while len(jobs.asked()) < count:
        threading.Event().wait(0.01)
    os.kill(os.getpid(), signal.SIGINT)


def _assert_nowhere(root, secret):
    for path in root.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


SUITE = {"schema_version": 1, "name": "pair", "version": "2.0", "aggregation": "weighted_mean", "primary_metric": "em"}


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
