"""What bounds a job in time: a worker's start, a task, and how long a worker that was told to stop may take."""

from __future__ import annotations

import os
import signal
import threading

import pytest


@pytest.fixture
def limited(jobs):
    def write(**limits) -> None:
        lines = "".join(f"{key} = {value}\n" for key, value in limits.items())
        with (jobs.home / "agentics.toml").open("a", encoding="utf-8") as file:
            file.write(f"[lighteval.limits]\n{lines}")

    return write


def test_a_model_that_hangs_is_ended_when_the_time_of_its_task_is_up(jobs, limited):
    limited(task_s=3, stop_s=0.1)
    jobs.spec(options={"documents": 4, "hangs_at": 2})
    assert jobs.run().status == 1
    task = jobs.result()
    assert (task["status"], task["reason"], task["fault"]) == ("error", "trial_time_limit", "user")


def test_the_task_after_one_that_hung_has_a_process_of_its_own(jobs, limited):
    limited(task_s=3, stop_s=0.1)
    jobs.spec(tasks=("one", "two"), options={"hangs_at": 2, "hangs_in": "one"})
    jobs.run()
    assert (jobs.result("one|0")["status"], jobs.result("two|0")["status"]) == ("error", "passed")


def test_the_answers_before_a_hang_are_kept_and_the_next_run_asks_for_the_others(jobs, limited):
    limited(task_s=3, stop_s=0.1)
    jobs.spec(options={"documents": 4, "hangs_at": 2, "hangs_once": True})
    jobs.run()
    jobs.forget()
    assert jobs.run().status == 0
    assert jobs.asked() == ["one/0/2", "one/0/3"]


def test_one_signal_ends_a_job_whose_model_hangs(jobs, limited):
    limited(stop_s=0.1)
    jobs.spec(options={"documents": 4, "hangs_at": 2})
    waiting = threading.Thread(target=_interrupt_once_asked, args=(jobs, 3))
    waiting.start()
    said = jobs.run()
    waiting.join()
    assert said.status == 130
    assert jobs.result()["status"] == "pending"


def test_a_worker_that_does_not_start_is_ended_and_the_hint_names_the_setting(jobs, limited):
    text = (jobs.home / "agentics.toml").read_text()
    silent = jobs.home / "silent.sh"
    silent.write_text("#!/bin/sh\nexec sleep 1000\n")
    silent.chmod(0o755)
    line = next(line for line in text.splitlines() if line.startswith("worker = "))
    (jobs.home / "agentics.toml").write_text(text.replace(line, f'worker = "{silent}"'))
    limited(start_s=0.2)
    jobs.spec()
    assert jobs.run().status == 5
    task = jobs.result()
    assert (task["status"], task["reason"], task["fault"]) == ("error", "worker_start_timeout", "infrastructure")
    assert task["attempts"] == 1


def test_the_start_of_a_worker_does_not_count_as_time_of_a_task(jobs, limited):
    limited(task_s=3, stop_s=0.1)
    jobs.spec(options={"documents": 4})
    slow = jobs.home / "slow.py"
    fake = next(line for line in (jobs.home / "agentics.toml").read_text().splitlines() if line.startswith("worker = "))
    path = fake.split('"')[1]
    slow.write_text(f'#!/bin/sh\nsleep 4\nexec "{path}" "$@"\n')
    slow.chmod(0o755)
    (jobs.home / "agentics.toml").write_text(
        (jobs.home / "agentics.toml").read_text().replace(fake, f'worker = "{slow}"')
    )
    assert jobs.run().status == 0


def _interrupt_once_asked(jobs, count):
    while len(jobs.asked()) < count:
        threading.Event().wait(0.01)
    os.kill(os.getpid(), signal.SIGINT)
