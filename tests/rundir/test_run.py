"""A run from begin to end: layout, states, scopes, resume."""

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentics.errors import Refused, StorageError, UsageError
from agentics.model.run.directory import RunControl, Scope, TrialInput, TrialResult, TrialState
from agentics.model.run.outcome import ErrorRecord, Invocation
from agentics.policy.publish.redact import Redactor, secrets_in
from agentics.rundir import state
from agentics.rundir.files.atomic import read_document
from agentics.rundir.open_run import transition, transition_trial
from agentics.rundir.projections.outcome import project, tasks_to_run
from agentics.rundir.reader import read_run
from agentics.rundir.run import begin, end, open_run, skip
from agentics.rundir.scope import differences, fingerprint
from agentics.rundir.trial import abandon, begin_attempt, check_scopes, finish, record, trial_for

STATUSES = ("passed", "degraded", "failed", "error", "no_samples", "skipped", "pending")
COMPLETED = {"passed", "degraded", "skipped", "no_samples"}


def test_a_run_leaves_the_layout_of_the_contract(driver):
    driver.evaluate({"a@t": "passed", "b@t": "failed"})
    left = {str(p.relative_to(driver.root)) for p in driver.root.rglob("*") if p.is_file()}
    experiment = next(n for n in left if n.endswith("/blob"))
    trial = {"trial_metadata.json", "trial_state.json", "trial_input.json", "result.json", "plan.json"}
    attempt = {"attempts/1/plan.json", "attempts/1/result.json", "attempts/1/trial_input.json"}
    assert left == {
        "manifest.json",
        "resolved_experiment.json",
        "resolved_experiment.digest",
        "runtime/run_control.json",
        "runtime/operation.lock",
        "runtime/control.lock",
        "runtime/engine_lease.json",
        "runtime/invocations.jsonl",
        experiment,
        *(f"trials/trial_{n}/{name}" for n in (1, 2) for name in trial | attempt),
        "v/run_outcome.json",
        "v/run_summary.json",
        "v/a@t/task_status.json",
        "v/b@t/task_status.json",
    }
    assert re.fullmatch(r"artifacts/sha256/[0-9a-f]{64}/blob", experiment)


def test_the_digest_is_that_of_the_resolved_experiment(driver):
    driver.evaluate({"a@t": "passed"})
    digest = (driver.root / "resolved_experiment.digest").read_text().strip()
    content = (driver.root / "resolved_experiment.json").read_bytes()
    assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert json.loads((driver.root / "manifest.json").read_bytes())["resolved_experiment"]["digest"] == digest
    created = read_run(driver.root).manifest.created_at
    driver.evaluate({"a@t": "passed", "b@t": "passed"})
    again = read_run(driver.root).manifest
    assert again.created_at == created
    assert again.resolved_experiment.digest != digest


def test_records_of_an_attempt_lie_with_it_and_with_its_trial(driver):
    with open_run(driver.base, "run") as run:
        begin(run, driver.request("a@t"), {})
        ids = trial_for(run, ("v", "a@t", 0), driver.scope("a@t"))
        attempt = begin_attempt(run, ids, TrialInput(ids=ids, task={}), {"stages": []})
        ref = run.artifacts.put(b"a log")
        record(attempt, "harness_stderr.log", b"said")
        # The ref may now be written down, for what it names is durable.
        assert (run.layout.artifacts / ref.rsplit("/", 1)[1] / "blob").read_bytes() == b"a log"
        control = read_document(run.layout.control, RunControl)
        assert list(control.active_trials) == ["trial_1"]
        assert not (run.root / "trials/trial_1/result.json").exists()
        finish(attempt, driver.result(ids, 1, "passed"))
        assert read_document(run.layout.control, RunControl).active_trials == {}
    trial = driver.root / "trials/trial_1"
    assert (
        (trial / "harness_stderr.log").read_bytes() == (trial / "attempts/1/harness_stderr.log").read_bytes() == b"said"
    )
    assert (trial / "result.json").read_bytes() == (trial / "attempts/1/result.json").read_bytes()


def test_a_result_of_another_trial_or_attempt_is_refused(driver):
    with open_run(driver.base, "run") as run:
        begin(run, driver.request("a@t"), {})
        ids = trial_for(run, ("v", "a@t", 0), driver.scope("a@t"))
        attempt = begin_attempt(run, ids, TrialInput(ids=ids, task={}), {})
        for wrong in (
            driver.result(ids, 2, "passed"),
            driver.result(ids.model_copy(update={"trial_id": "x"}), 1, "passed"),
        ):
            with pytest.raises(ValueError, match="another trial or attempt"):
                finish(attempt, wrong)
        assert not (attempt.root / "result.json").exists()


def test_attempts_go_on_counting_and_each_keeps_its_own_result(driver):
    driver.evaluate({"a@t": "error"})
    driver.evaluate({"a@t": "failed"})
    outcome = driver.evaluate({"a@t": "passed"})
    attempts = driver.root / "trials/trial_1/attempts"
    said = [json.loads((attempts / str(n) / "result.json").read_bytes())["ext"]["status"] for n in (1, 2, 3)]
    assert said == ["error", "failed", "passed"]
    assert outcome.tasks["a@t"].attempts == 3
    assert [p.name for p in (driver.root / "trials").iterdir()] == ["trial_1"]


def test_a_trial_with_an_attempt_under_way_has_no_result(driver):
    driver.evaluate({"a@t": "failed"})
    with open_run(driver.base, "run") as run:
        begin(run, driver.request("a@t"), {})
        ids = trial_for(run, ("v", "a@t", 0), driver.scope("a@t"))
        begin_attempt(run, ids, TrialInput(ids=ids, task={}), {})
        assert not (run.root / "trials/trial_1/result.json").exists()
        assert (run.root / "trials/trial_1/attempts/1/result.json").exists()
        assert read_run(run.root).trials[0].result is None


def test_many_threads_evaluate_in_one_run_without_disturbing_each_other(driver):
    refs = tuple(f"t{n}@x" for n in range(24))
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request(*refs), {})

        def evaluate(ref: str) -> None:
            run.artifacts.put(f"log of {ref}".encode())
            driver.trial(run, ref, "passed")
            project(run, "v")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(evaluate, refs))
        end(run, invocation, "completed", duration_s=0.1)
        outcome = project(run, "v")
        assert read_document(run.layout.control, RunControl).active_trials == {}
    assert outcome.status == "passed"
    assert len({task.trial_id for task in outcome.tasks.values()}) == len(refs)
    assert len(list(driver.root.glob("artifacts/sha256/*/blob"))) == len(refs) + 1
    assert read_run(driver.root).damaged == ()


@pytest.mark.parametrize(("now", "to"), [(n, t) for n in state.TRIAL_TRANSITIONS for t in state.TRIAL_TRANSITIONS if t])
def test_a_trial_changes_state_only_as_the_table_says(driver, now, to):
    with open_run(driver.base, "run") as run:
        begin(run, driver.request("a@t"), {})
        ids = trial_for(run, ("v", "a@t", 0), driver.scope("a@t"))
        for step in {None: (), "running": ("running",)}.get(now, ("running", now)):
            transition_trial(run, ids, to=step, attempt=1)
        if to in state.TRIAL_TRANSITIONS[now]:
            transition_trial(run, ids, to=to, attempt=1)
        else:
            with pytest.raises(StorageError) as e:
                transition_trial(run, ids, to=to, attempt=1)
            assert e.value.code == "impossible_transition"
        left = read_document(run.layout.trial("trial_1").state, TrialState)
        assert (left.status if left else None) == (to if to in state.TRIAL_TRANSITIONS[now] else now)


@pytest.mark.parametrize(
    ("now", "to"), [(n, t) for n in state.RUN_TRANSITIONS if n for t in state.RUN_TRANSITIONS if t]
)
def test_a_run_changes_state_only_as_the_table_says(driver, now, to):
    with open_run(driver.base, "run") as run:
        begin(run, driver.request("a@t"), {})
        if now != "running":
            transition(run, to=now)
        if to in state.RUN_TRANSITIONS[now]:
            transition(run, to=to)
            assert read_document(run.layout.control, RunControl).status == to
        else:
            with pytest.raises(StorageError, match="cannot become"):
                transition(run, to=to)


def test_a_killed_run_is_not_continued(driver):
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request("a@t"), {})
        end(run, invocation, "killed", duration_s=0, fatal=1)
    with open_run(driver.base, "run") as run, pytest.raises(Refused) as e:
        begin(run, driver.request("a@t"), {})
    assert e.value.code == "run_killed"


@pytest.mark.parametrize("status", STATUSES)
def test_b6_a_task_is_run_again_unless_it_was_completed(driver, status):
    if status == "skipped":
        with open_run(driver.base, "run") as run:
            invocation = begin(run, driver.request("a@t"), {})
            skip(run, invocation, ("v", "a@t", 0), "no_gpu")
            end(run, invocation, "completed", duration_s=0)
            assert project(run, "v").tasks["a@t"].status == "skipped"
    else:
        driver.evaluate({"a@t": status})
    before = list(driver.ran)
    outcome = driver.evaluate({"a@t": "passed"})
    assert driver.ran == (before if status in COMPLETED else [*before, "a@t"])
    assert outcome.tasks["a@t"].status == (status if status in COMPLETED else "passed")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"status": "passed"}', None])
def test_b6_an_unreadable_or_missing_status_file_means_that_the_task_is_run(driver, damage):
    driver.evaluate({"a@t": "passed", "b@t": "passed"})
    path = driver.variant / "a@t" / "task_status.json"
    path.unlink() if damage is None else path.write_bytes(damage)
    outcome = driver.evaluate({"a@t": "passed", "b@t": "passed"})
    assert driver.ran == ["a@t", "b@t", "a@t"]
    assert outcome.status == "passed"


def test_b6_the_status_file_of_another_task_says_nothing(driver):
    driver.evaluate({"a@t": "passed", "b@t": "failed"})
    (driver.variant / "b@t" / "task_status.json").write_bytes(
        (driver.variant / "a@t" / "task_status.json").read_bytes()
    )
    driver.evaluate({"a@t": "passed", "b@t": "passed"})
    assert driver.ran == ["a@t", "b@t", "b@t"]


def test_b6_tasks_are_told_apart_by_their_full_reference(driver):
    driver.evaluate({"spanish": "passed"})
    driver.evaluate({"spanish": "passed", "spanish.xnli": "passed"})
    assert driver.ran == ["spanish", "spanish.xnli"]


def test_b5_a_second_full_run_runs_nothing_and_rewrites_the_outcome(driver):
    first = driver.evaluate({"a@t": "passed"})
    second = driver.evaluate({"a@t": "passed"})
    assert driver.ran == ["a@t"]
    assert second.ended_at > first.ended_at
    assert second.tasks["a@t"].completed
    assert json.loads((driver.variant / "run_outcome.json").read_bytes())["ended_at"] == second.ended_at


def test_a_run_of_another_scope_is_refused_and_the_message_names_what_differs(driver):
    driver.evaluate({"a@t": "passed"})
    outcome = (driver.variant / "run_outcome.json").read_bytes()
    with open_run(driver.base, "run") as run:
        other = driver.scope("a@t", limit=3, bundle_digest="sha256:other", config={"relaxed": ["network"]})
        with pytest.raises(Refused) as e:
            check_scopes(run, {("v", "a@t", 0): other, ("v", "new@t", 0): other})
        check_scopes(run, {("v", "a@t", 0): driver.scope("a@t")})
    assert (e.value.code, e.value.exit_status) == ("run_scope_mismatch", 7)
    assert "a@t of v differs in bundle_digest, limit, config.relaxed" in e.value.message
    assert (driver.variant / "run_outcome.json").read_bytes() == outcome


@pytest.mark.parametrize("field", [f for f in Scope.model_fields if f != "schema_version"])
def test_every_field_of_the_scope_changes_its_fingerprint(driver, field):
    one = driver.scope("a@t")
    change = {
        "task": "b@t", "bundle_digest": "x", "overlay_digests": ("x",), "solution_digest": "x", "target": "x",
        "mode": "official", "limit": 0, "images": {"a": "b"}, "config": {"a": None},
    }  # fmt: skip
    other = one.model_copy(update={field: change[field]})
    assert fingerprint(one) != fingerprint(other)
    assert len(differences(one, other)) == 1
    assert differences(one, one) == ()


def test_no_resume_takes_the_new_scope_into_the_same_trial(driver):
    driver.evaluate({"a@t": "passed"})
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request("a@t"), {})
        driver.trial(run, "a@t", "failed", limit=2)
        end(run, invocation, "completed", duration_s=0)
        outcome = project(run, "v")
    assert outcome.tasks["a@t"].attempts == 2
    assert outcome.tasks["a@t"].scope == fingerprint(driver.scope("a@t", limit=2))


def test_a_variant_under_another_name_in_the_same_place_is_refused(driver):
    driver.evaluate({"a@t": "passed"}, variants={"v": "org1/v"})
    with open_run(driver.base, "run") as run, pytest.raises(UsageError) as e:
        begin(run, driver.request("a@t", variants={"v": "org2/v"}), {})
    assert e.value.code == "variant_collision"


@pytest.mark.parametrize("requested", [{}, {"v": ()}, {"w": ("a@t",)}])
def test_a_request_for_nothing_is_refused(driver, requested):
    with open_run(driver.base, "run") as run, pytest.raises(UsageError) as e:
        begin(run, driver.request("a@t", requested=requested), {})
    assert e.value.code == "no_tasks"


def test_an_interrupted_task_is_pending_and_the_next_invocation_runs_it(driver):
    driver.evaluate({"a@t": "failed"})
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request("a@t", "b@t"), {})
        ids = trial_for(run, ("v", "a@t", 0), driver.scope("a@t"))
        attempt = begin_attempt(run, ids, TrialInput(ids=ids, task={}), {})
        abandon(attempt, "interrupted")
        error = ErrorRecord(stage="interrupted", error_type="SIGTERM", message="stopped")
        end(run, invocation, "interrupted", duration_s=0.1, fatal=143, errors=(error,))
        outcome = project(run, "v")
    assert (outcome.status, outcome.exit_code, outcome.errors) == ("failed", 143, (error,))
    assert [(t.status, t.reason) for t in outcome.tasks.values()] == [
        ("pending", "interrupted"),
        ("pending", "not_started"),
    ]
    assert not (driver.variant / "a@t" / "task_status.json").exists()
    assert driver.evaluate({"a@t": "passed", "b@t": "passed"}).status == "passed"


def test_an_interrupted_rerun_of_a_passed_task_leaves_it_to_be_run(driver):
    driver.evaluate({"a@t": "passed"})
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request("a@t"), {})
        ids = trial_for(run, ("v", "a@t", 0), driver.scope("a@t"))
        abandon(begin_attempt(run, ids, TrialInput(ids=ids, task={}), {}), "interrupted")
        end(run, invocation, "interrupted", duration_s=0.1, fatal=130)
        project(run, "v")
        assert tasks_to_run(run, "v", ("a@t",)) == ("a@t",)


SECRET = "hunter2-is-the-word"


def test_b9_no_file_of_a_run_holds_a_secret(driver):
    argv = ("agentics", "eval", "--api-key", SECRET, f"https://u:{SECRET}@h/")
    redactor = Redactor(secrets_in(argv))
    call = Invocation(argv=argv, cli_args={"api_key": SECRET, "n": 1, "headers": {"X": SECRET}}, cwd=f"/home/{SECRET}")
    with open_run(driver.base, "run") as run:
        request = driver.request("a@t", "b@t", invocation=call, redactor=redactor)
        invocation = begin(run, request, {"endpoint": f"https://h/?q={SECRET}", "api_key": SECRET})
        ids = trial_for(run, ("v", "a@t", 0), driver.scope("a@t"))
        attempt = begin_attempt(run, ids, TrialInput(ids=ids, task={"x": SECRET}), {"argv": [SECRET]})
        record(attempt, "evidence.json", {"trouble": {"message": f"failed: {SECRET}"}})
        result = driver.result(ids, 1, "error")
        error = {"error_type": "E", "message": f"for {SECRET}", "stack": f"raise E({SECRET!r})"}
        finish(attempt, TrialResult.model_validate({**result.model_dump(), "error": error}))
        trouble = ErrorRecord(stage="task_execution", error_type="E", message=SECRET, traceback=f"E: {SECRET}")
        end(run, invocation, "failed", duration_s=0.1, fatal=1, errors=(trouble,))
        project(run, "v")
    files = [p for p in driver.root.rglob("*") if p.is_file()]
    assert len(files) > 10
    assert [p for p in files if SECRET.encode() in p.read_bytes()] == []


@pytest.mark.parametrize(
    "secret", ["123456", "000000", "passed", "isolated", "schema_version", "message", "because_error"]
)
def test_b9_no_secret_makes_a_record_unreadable(driver, secret):
    redactor = Redactor(secrets_in(["--password", secret]))
    driver.evaluate({"a@t": "passed", "b@t": "error"}, redactor=redactor)
    view = read_run(driver.root)
    assert view.damaged == ()
    assert [t.result.ext.status for t in view.trials] == ["passed", "error"]


def test_what_is_private_in_a_run_can_be_entered_by_its_owner_alone(tmp_path):
    with open_run(tmp_path, "r") as run:
        modes = {p.name: p.stat().st_mode & 0o777 for p in (run.layout.trials, run.layout.artifacts.parent)}
    assert modes == {"trials": 0o700, "artifacts": 0o700}
