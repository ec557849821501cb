"""Models on tasks, as `agentics job run` evaluates them: the worker is a script, all the rest is what a user has."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import threading

import pytest
from tensorboardX.proto.event_pb2 import Event

from agentics.rundir.reader import read_run
from tests.runner.lab import evaluator


def test_a_job_is_a_run_with_an_outcome_results_and_artifacts(jobs):
    jobs.spec(tasks=("one", {"id": "two", "fewshot": 2}))
    said = jobs.run("--json")
    assert said.status == 0, said.err
    tasks = said.json["outcomes"]["job"]["tasks"]
    assert {ref: task["status"] for ref, task in tasks.items()} == {"one|0": "passed", "two|2": "passed"}
    primary = {"metric_name": "em", "value": 0.5, "direction": "maximize", "n": 4, "of": 4}
    assert tasks["one|0"]["primary_metric"] == primary
    results = list((jobs.home / "artifacts" / "r" / "results").rglob("*.json"))
    assert len(results) == 1
    assert json.loads(results[0].read_text())["results"]["two|2"] == {"em": 0.5}
    assert jobs.lab("schema", "validate", "outputs/r").status == 0
    assert jobs.lab("run", "verify", "outputs/r").status == 0
    assert jobs.lab("run", "rebuild", "--check", "outputs/r").status == 0


@pytest.mark.parametrize("again", [("job", "run", "job.json", "--run-id", "r"), ("run", "continue", "outputs/r")])
def test_a_degraded_job_that_is_run_again_is_asked_for_its_missing_answers_only(jobs, again, monkeypatch):
    monkeypatch.chdir(jobs.home)
    jobs.spec(options={"documents": 4, "fails_once": [1, 3]})
    jobs.run()
    assert jobs.result()["status"] == "degraded"
    jobs.forget()
    assert jobs.lab(*again).status == 0
    assert jobs.asked() == ["one/0/1", "one/0/3"]
    task = jobs.result()
    assert (task["status"], task["attempts"], task["summary"]["error_count"]) == ("passed", 2, 0)
    jobs.forget()
    assert jobs.lab(*again).status == (7 if "continue" in again else 0)
    assert jobs.asked() == []


def test_a_missing_answer_that_fails_again_leaves_the_job_degraded_and_keeps_the_others(jobs):
    jobs.spec(options={"documents": 4, "fails": [1]})
    jobs.run()
    jobs.forget()
    assert jobs.run().status == 0
    assert jobs.asked() == ["one/0/1"]
    task = jobs.result()
    assert (task["status"], task["summary"]["valid_samples"], task["summary"]["error_count"]) == ("degraded", 3, 1)


@pytest.mark.parametrize("again", [("job", "run", "job.json", "--run-id", "r"), ("run", "continue", "outputs/r")])
@pytest.mark.parametrize("options", [{"code": "server_error"}, {"code": "unauthorized"}])
def test_a_job_that_came_to_nothing_is_asked_again(jobs, again, options, monkeypatch):
    monkeypatch.chdir(jobs.home)
    jobs.spec(options={"documents": 2, "fails_once": [0, 1], **options})
    jobs.run()
    assert (jobs.result()["status"], jobs.lab.read("r/runtime/run_control.json")["status"]) == ("error", "completed")
    jobs.forget()
    assert jobs.lab(*again).status == 0
    assert jobs.asked() == ["one/0/0", "one/0/1"]
    assert jobs.result()["status"] == "passed"


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
    jobs.spec(tasks=("one", "two"), max_samples=1, artifacts={"output_dir": "elsewhere"})
    said = jobs.run()
    assert said.status == 7
    assert "run_scope_mismatch" in jobs.run("--json").out


def test_every_seed_of_few_shot_examples_has_its_result_and_all_of_them_a_mean(jobs):
    jobs.spec(tasks=({"id": "one", "fewshot": 1},), num_fewshot_seeds=3)
    assert jobs.run().status == 0
    metric = jobs.evidence()["job"]["result"]["metrics"]["em"]
    assert (len(metric["seeds"]), metric["mean"], metric["sd"]) == (3, 0.5, 0.0)
    assert set(jobs.result("one|1")["subtasks"]) == {"seed_0", "seed_1", "seed_2"}


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


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftps://host/x", "storage_scheme_not_allowed"),
        ("s3:/bucket/x", "storage_path_invalid"),
        ("s3://", "storage_path_invalid"),
        ("a/../b", "storage_path_invalid"),
        ("webdav://host/x", "fsspec_driver_missing"),
        ("memory://x", None),
        ("outputs/artifacts", None),
    ],
)
@pytest.mark.parametrize("verb", ["check", "plan", "run"])
def test_a_place_that_artifacts_cannot_go_to_is_found_by_a_check(jobs, url, code, verb):
    with (jobs.home / "agentics.toml").open("a") as file:
        file.write('[storage]\nschemes = ["file", "s3", "memory", "webdav"]\n')
    jobs.spec(artifacts={"output_dir": url})
    said = jobs.lab("job", verb, "job.json", "--json")
    if code is None:
        assert said.status == 0
        return
    (finding,) = said.json["error"]["details"]["findings"]
    assert (said.status, finding["code"], finding["pointer"]) == (2, code, "/artifacts/output_dir")
    assert finding["line"] > 0
    assert not (jobs.home / "outputs").exists()


def _interrupt_once_asked(jobs, count):
    while len(jobs.asked()) < count:
        threading.Event().wait(0.01)
    os.kill(os.getpid(), signal.SIGINT)


def _assert_nowhere(root, secret):
    for path in root.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def records(data):
    """The records of a TFRecord file: each has its length before it, and checksums that are not looked at."""
    while data:
        (length,) = struct.unpack_from("<Q", data)
        yield data[12 : 12 + length]
        data = data[12 + length + 4 :]


def test_metrics_are_an_event_file_for_tensorboard_where_the_job_asks_for_one(jobs):
    jobs.spec(artifacts={"output_dir": "artifacts", "tensorboard": True}, tasks=["one", "two"])
    assert jobs.run().status == 0
    (found,) = (jobs.home / "artifacts" / "r" / "tensorboard").rglob("events.out.tfevents.*.agentics")
    first, *events = [Event.FromString(record) for record in records(found.read_bytes())]
    assert first.file_version == "brain.Event:2"
    (results,) = (jobs.home / "artifacts" / "r" / "results").rglob("*.json")
    wanted = json.loads(results.read_bytes())["results"]
    told = {value.tag: value.simple_value for event in events for value in event.summary.value}
    flat = {f"{task}/{name}": value for task, metrics in wanted.items() for name, value in metrics.items()}
    assert told == pytest.approx(flat)
    assert {"one|0/em", "two|0/em"} <= told.keys()
    stored = {file["path"] for file in json.loads((jobs.home / "artifacts/r/metadata.json").read_bytes())["files"]}
    assert found.relative_to(jobs.home / "artifacts" / "r").as_posix() in stored
