"""B7, B12: processes that die, and processes that meet."""

import json
import signal

import pytest

from agentics.errors import Refused, UsageError
from agentics.model.run.directory import RunControl, TrialInput, TrialState
from agentics.rundir.files.atomic import read_document
from agentics.rundir.files.lock import is_held
from agentics.rundir.projections.outcome import project, rebuild_outcome, tasks_to_run
from agentics.rundir.reader import read_run
from agentics.rundir.run import begin, end, open_run
from agentics.rundir.trial import abandon, begin_attempt, trial_for

pytestmark = pytest.mark.slow

EVALUATE = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("driver", sys.argv[1])
driver = importlib.util.module_from_spec(spec)
sys.modules["driver"] = driver
spec.loader.exec_module(driver)
from agentics.errors import Refused
from agentics.model.run.directory import TrialInput
from agentics.rundir.projections.outcome import project, tasks_to_run
from agentics.rundir.run import begin, end, open_run
from agentics.rundir.trial import begin_attempt, record, trial_for, finish
d = driver.Driver(Path(sys.argv[2]))
stop = sys.argv[3]
def here(place):
    print(place, flush=True)
    if place == stop:
        sys.stdin.read()
tasks = ("a@t", "b@t", "c@t")
try:
    with open_run(d.base, "run") as run:
        here("opened")
        invocation = begin(run, d.request(*tasks), {"tasks": list(tasks)})
        here("begun")
        for task in tasks_to_run(run, "v", tasks):
            ids = trial_for(run, ("v", task, 0), d.scope(task))
            here(f"{task} made")
            attempt = begin_attempt(run, ids, TrialInput(ids=ids, task={}), {})
            here(f"{task} running")
            run.artifacts.put(task.encode())
            record(attempt, "evidence.json", {"task": task})
            here(f"{task} observed")
            finish(attempt, d.result(ids, attempt.number, "passed"))
            here(f"{task} finished")
            project(run, "v")
            here(f"{task} projected")
        end(run, invocation, "completed", duration_s=1.0)
        here("ended")
        project(run, "v")
        here("done")
except Refused as e:
    print(e.code, e.message, flush=True)
    sys.exit(e.exit_status)
"""

PLACES = ["opened", "begun", "a@t finished", "b@t made", "b@t running", "b@t observed", "b@t finished", "b@t projected",
          "c@t finished", "ended"]  # fmt: skip


@pytest.fixture
def evaluate(driver, script):
    def start(stop="never"):
        driver.base.mkdir(exist_ok=True)
        return script(EVALUATE, __file__.replace("test_crash.py", "conftest.py"), driver.base, stop)

    return start


def _until(process, place: str) -> None:
    assert place in (line.strip() for line in iter(process.stdout.readline, ""))


def _lines(process) -> list[str]:
    lines = [line.strip() for line in process.stdout]
    process.wait()
    return lines


@pytest.mark.parametrize("place", PLACES)
def test_b7_after_a_kill_anywhere_the_same_command_does_the_rest_and_no_more(driver, evaluate, place):
    first = evaluate(place)
    _until(first, place)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = evaluate()
    told = _lines(second)
    assert second.returncode == 0
    done = PLACES.index(place) >= PLACES.index("b@t finished")
    expected = [] if place in {"c@t finished", "ended"} else ["c@t"] if done else ["b@t", "c@t"]
    if place in {"opened", "begun"}:
        expected = ["a@t", "b@t", "c@t"]
    assert [line.split()[0] for line in told if line.endswith(" made")] == expected
    outcome = json.loads((driver.variant / "run_outcome.json").read_bytes())
    assert (outcome["status"], outcome["exit_code"], outcome["errors"]) == ("passed", 0, [])
    assert sorted(p.name for p in (driver.root / "trials").iterdir()) == ["trial_1", "trial_2", "trial_3"]
    assert list(driver.root.rglob(".staging-*")) == []
    assert read_run(driver.root).damaged == ()
    lost = place in {"b@t running", "b@t observed"}
    assert outcome["tasks"]["b@t"]["attempts"] == (2 if lost else 1)


@pytest.mark.parametrize("round_", range(12))
def test_b7_a_kill_at_any_moment_loses_nothing(driver, evaluate, round_):
    """No agreed place: the process is killed as soon as it has told `round_` things, and is then wherever it is."""
    first = evaluate()
    for _ in range(round_):
        first.stdout.readline()
    first.send_signal(signal.SIGKILL)
    first.wait()
    finished = [line.split()[0] for line in first.stdout if line.endswith("projected\n")]
    second = evaluate()
    told = _lines(second)
    assert second.returncode == 0
    assert not set(finished) & {line.split()[0] for line in told if line.endswith(" made")}
    outcome = json.loads((driver.variant / "run_outcome.json").read_bytes())
    assert (outcome["status"], outcome["counts"]["passed_tasks"]) == ("passed", 3)


def test_a_trial_of_a_dead_process_is_recovered_as_worker_lost(driver, evaluate):
    process = evaluate("b@t running")
    _until(process, "b@t running")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with open_run(driver.base, "run") as run:
        assert run.recovered == ("trial_2",)
        assert run.unfinished
        left = read_document(run.layout.trial("trial_2").state, TrialState)
        assert (left.status, left.exit_reason, left.attempt) == ("failed", "worker_lost_recovered", 1)
        control = read_document(run.layout.control, RunControl)
        assert (control.status, control.active_trials) == ("interrupted", {})
        outcome = project(run, "v")
        assert outcome.exit_code == 1
        assert outcome.errors[0].stage == "interrupted"
        told = {ref: (t.status, t.reason, t.fault) for ref, t in outcome.tasks.items()}
        assert told == {
            "a@t": ("passed", None, None),
            "b@t": ("error", "worker_lost", "infrastructure"),
            "c@t": ("pending", "not_started", None),
        }
        assert tasks_to_run(run, "v", ("a@t", "b@t", "c@t")) == ("b@t", "c@t")


def _lasting(root):
    """The files of a run but for the lease, which the living process renews by a file that it renames."""
    passing = ("engine_lease.json", ".staging-")
    return {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and not p.name.startswith(passing)}


def test_b12_a_second_process_is_refused_and_told_who_has_the_run(driver, evaluate):
    first = evaluate("b@t running")
    _until(first, "b@t running")
    before = _lasting(driver.root)
    second = evaluate()
    told = _lines(second)
    assert second.returncode == 7
    assert told[0].startswith("run_locked ")
    assert f"process {first.pid} on " in told[0]
    assert " since 20" in told[0]
    assert _lasting(driver.root) == before
    first.stdin.close()
    assert _lines(first)[-1] == "done"
    assert driver.evaluate(dict.fromkeys(("a@t", "b@t", "c@t"), "passed")).status == "passed"
    assert driver.ran == []


def test_b12_a_run_is_free_again_when_its_process_was_killed(driver, evaluate):
    first = evaluate("begun")
    _until(first, "begun")
    lock = driver.root / "runtime/operation.lock"
    assert is_held(lock)
    assert read_run(driver.root).held
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not is_held(lock)
    with open_run(driver.base, "run") as run:
        assert run.held.owner.pid != first.pid


def test_b12_even_two_of_one_process_do_not_share_a_run(driver):
    with open_run(driver.base, "run"), pytest.raises(Refused):
        open_run(driver.base, "run")
    with open_run(driver.base, "run"):
        pass


def test_projections_that_were_not_written_any_more_do_not_count_as_the_truth(driver):
    driver.evaluate({"a@t": "passed"})
    with open_run(driver.base, "run") as run:
        invocation = begin(run, driver.request("a@t"), {})
        ids = trial_for(run, ("v", "a@t", 0), driver.scope("a@t"))
        abandon(begin_attempt(run, ids, TrialInput(ids=ids, task={}), {}), "interrupted")
        end(run, invocation, "interrupted", duration_s=0.1, fatal=143)
    # And here it died, before it wrote that the task is pending.
    assert (driver.variant / "a@t" / "task_status.json").exists()
    driver.evaluate({"a@t": "passed"})
    assert driver.ran == ["a@t", "a@t"]


def test_a_half_made_run_is_made_and_no_run_is_seen_in_it_before(driver, evaluate):
    first = evaluate("opened")
    _until(first, "opened")
    with pytest.raises(UsageError) as e:
        read_run(driver.root)
    assert e.value.code == "no_such_run"
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert driver.evaluate({"a@t": "passed"}).status == "passed"


def test_a_torn_ledger_line_does_not_stop_the_next_invocation(driver):
    driver.evaluate({"a@t": "failed"})
    with (driver.root / "runtime/invocations.jsonl").open("ab") as f:
        f.write(b'{"kind":"sta')
    assert read_run(driver.root).entries
    with open_run(driver.base, "run"):
        assert (driver.root / "runtime/invocations.jsonl").read_bytes().endswith(b"}\n")
    assert driver.evaluate({"a@t": "passed"}).status == "passed"


@pytest.mark.parametrize("name", ["trial_state.json", "trial_metadata.json", "result.json", "attempts/1/result.json"])
@pytest.mark.parametrize("damage", [b"", b"{", b"\x00" * 64])
def test_a_damaged_file_of_a_trial_never_wedges_the_run(driver, name, damage):
    driver.evaluate({"a@t": "failed", "b@t": "passed"})
    (driver.root / "trials/trial_1" / name).write_bytes(damage)
    outcome = driver.evaluate({"a@t": "passed", "b@t": "passed"})
    assert outcome.status == "passed"
    assert driver.ran == ["a@t", "b@t", "a@t"]


def test_a_result_that_is_damaged_is_an_error_of_ours_and_not_a_score(driver):
    driver.evaluate({"a@t": "passed"})
    (driver.root / "trials/trial_1/attempts/1/result.json").write_bytes(b"{")
    outcome = rebuild_outcome(driver.root, "v", at="2026-01-02T00:00:00Z")
    task = outcome.tasks["a@t"]
    assert (task.status, task.reason, task.fault) == ("error", "result_damaged", "infrastructure")
    assert outcome.exit_code == 5
    assert read_run(driver.root).damaged


def test_a_result_that_was_written_stands_though_its_writer_died_at_once(driver):
    driver.evaluate({"a@t": "passed"})
    trial = driver.root / "trials/trial_1"
    running = json.loads((trial / "trial_state.json").read_bytes()) | {"status": "running"}
    (trial / "trial_state.json").write_text(json.dumps(running))
    (trial / "result.json").unlink()
    with open_run(driver.base, "run") as run:
        assert run.recovered == ()
        assert read_document(run.layout.trial("trial_1").state, TrialState).status == "completed"
        begin(run, driver.request("a@t"), {})
    assert (trial / "result.json").read_bytes() == (trial / "attempts/1/result.json").read_bytes()
