"""Where a job fails, the reason is on the terminal, in the log that is named there, in `job details`, and in JSON."""

from __future__ import annotations

import pytest

TRACE = """Traceback (most recent call last):
  File "PLUGIN/code.py", line 7, in prompt
    return row["nothing"]
KeyError: 'nothing'
"""


def places(jobs):
    """What each place says of the run: the terminal, its log, the details, and JSON of a run and of details."""
    said = jobs.run()
    (log,) = [line.split()[1] for line in said.err.splitlines() if line.strip().startswith("log:")]
    again = jobs.run("--json", run_id="again")
    details = ("job", "details", "outputs/r", "--task", "one|0")
    return {
        "terminal": said.err,
        "log": (jobs.home / log).read_text(),
        "json": again.out,
        "details": jobs.lab(*details).out,
        "details as JSON": jobs.lab(*details, "--json").out,
    }


def everywhere(jobs, word):
    return [name for name, text in places(jobs).items() if word not in " ".join(text.split())]


@pytest.mark.parametrize("fails", [[0, 1], [1]])
def test_what_a_server_said_is_shown_where_some_or_all_requests_fail(jobs, fails):
    options = {"documents": 2, "fails": fails, "code": "bad_request", "message": "no model of that name"}
    jobs.spec(options=options)
    assert everywhere(jobs, "no model of that name") == []
    (failure,) = jobs.evidence()["job"]["failures"]
    assert (failure["what"], failure["code"], failure["count"]) == ("answers", "bad_request", len(fails))


def test_what_a_judge_said_is_shown_with_the_judges_name(jobs):
    judges = [{"judge_model_name": name, "base_url": "http://127.0.0.1:1/v1"} for name in ("kind", "refuses", "strict")]
    jobs.spec(scoring_mode="jury", scoring_config={"judges": judges, "judge_template_id": "correct-or-not"})
    jobs.run()
    (failure,) = jobs.evidence()["job"]["failures"]
    assert (failure["judge"], failure["code"], failure["count"]) == ("refuses", "unauthorized", 4)
    log = (jobs.home / "outputs/r/trials/trial_1/harness_stdout.log").read_text()
    assert "===== judge refuses:unauthorized (4) =====" in log


def test_the_traceback_of_a_plugin_is_shown_with_the_plugins_own_folder(jobs):
    failed = {"stage": "task", "code": "prompt_failed", "message": "row 3 of PLUGIN: KeyError", "traceback": TRACE}
    jobs.spec(options={"failed": failed})
    folder = jobs.home / "plugins" / "tasks"
    assert everywhere(jobs, "KeyError: 'nothing'") == []
    found = jobs.evidence()
    assert found["trouble"]["message"] == f"row 3 of {folder}: KeyError"
    assert f'File "{folder}/code.py", line 7' in found["job"]["failures"][0]["traceback"]


def test_the_log_of_a_worker_that_cannot_be_had_says_why(jobs):
    text = (jobs.home / "agentics.toml").read_text()
    (jobs.home / "agentics.toml").write_text(text.replace("fake_worker.py", "no_worker.py"))
    jobs.spec()
    jobs.run()
    assert "no_worker.py" in (jobs.home / "outputs/r/trials/trial_1/harness_stdout.log").read_text()
