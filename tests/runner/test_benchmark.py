"""C1, C3, C7, C9: an adapter at the end of a run: what it changes, and what it cannot."""

from __future__ import annotations

import json
import sys

import pytest

from agentics.model.run.design import AdapterCommand
from tests.conftest import BUNDLES
from tests.runner.lab import evaluator

VERDICTS = AdapterCommand(command=(sys.executable, "-m", "agentics.adapters.verdicts"))
SAYS_NO = """
import json, os, runpy, sys
sys.argv = ["verdicts"]
try:
    runpy.run_module("agentics.adapters.verdicts", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
path = os.environ["AGENTICS_SCORES_PATH"]
rows = [json.loads(line) for line in open(path)]
with open(path, "w") as file:
    for row in rows:
        file.write(json.dumps({**row, "verdict": "fail", "primary_metric_value": 0.25}) + "\\n")
"""

BOGUS = "artifact://sha256/" + "0" * 64
NAMES_A_REFERENCE = """
import json, os, runpy, sys
sys.argv = ["verdicts"]
try:
    runpy.run_module("agentics.adapters.verdicts", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
path = os.environ["AGENTICS_PREDICTIONS_PATH"]
rows = [json.loads(line) for line in open(path)]
with open(path, "w") as file:
    for row in rows:
        file.write(json.dumps({**row, "prediction": {"kind": "artifact_ref", "artifact_ref": "BOGUS"}}) + "\\n")
"""


def events(lab):
    return [event["event"] for event in lab.lines("runtime/events.jsonl")]


def test_c1_without_an_adapter_there_is_no_benchmark(lab):
    lab.bundle("one")
    said = lab.eval("one", "--json").json
    assert not (lab.home / "outputs/r/benchmark").exists()
    assert (said["artifacts"]["benchmark_dir"], said["artifacts"]["benchmark_summary_path"]) == (None, None)
    assert said["artifacts"]["evidence_records_path"].endswith("evidence/evidence_records.jsonl")
    sources = (BUNDLES.parent / "agentics").rglob("*.py")
    assert [path for path in sources if "runner_passthrough" in path.read_text()] == []


def test_c9_the_benchmark_comes_after_the_last_trial_and_before_the_end(lab):
    for name in ("one", "two"):
        lab.bundle(name)
    ended = lab.run("one", "two", adapter=VERDICTS)
    assert ended.exit_status == 0
    assert events(lab)[-4:] == ["trial_finished", "benchmark_started", "benchmark_finished", "run_finished"]
    assert ended.envelope()["artifacts"]["benchmark_dir"] == str(lab.home / "outputs/r/benchmark")
    scores = lab.lines("benchmark/scores.jsonl")
    assert [(score["ids"]["trial_id"], score["verdict"]) for score in scores] == [
        ("trial_1", "pass"),
        ("trial_2", "pass"),
    ]
    assert lab.read("r/benchmark/summary.json")["totals"]["pass"] == 2
    assert lab("run", "verify", "outputs/r").status == 0


def test_c7_a_score_changes_what_summaries_say_and_no_result(lab):
    lab.bundle("one")
    (lab.home / "says_no.py").write_text(SAYS_NO)
    lab.run("one", adapter=AdapterCommand(command=(sys.executable, "says_no.py")), experiment={"id": "e", "name": "e"})
    assert lab("run", "rebuild", "outputs/r").status == 0
    result = lab.read("r/trials/trial_1/result.json")
    assert (result["outcome"], result["objective"]["value"]) == ("success", 1.0)
    analysis = lab.home / "outputs/r/analysis"
    analysis.mkdir(exist_ok=True)
    assert lab("run", "rebuild", "outputs/r").status == 0
    (row,) = lab.lines("analysis/tables/trials.jsonl")
    assert (row["outcome"], row["primary_metric_value"]) == ("failure", 0.25)
    (summary,) = json.loads((analysis / "summary.json").read_bytes())["variants"].values()
    assert summary["success_rate"] == 0.0


@pytest.mark.parametrize(
    ("program", "code"),
    [("raise SystemExit(3)", "adapter_exit_nonzero"), ("pass", "adapter_manifest_missing")],
)
def test_c3_a_failing_adapter_fails_the_run_and_no_trial(lab, program, code):
    lab.bundle("one")
    ended = lab.run("one", adapter=AdapterCommand(command=(sys.executable, "-c", program)))
    assert (ended.exit_status, ended.error.code) == (4, code)
    assert lab.read("r/runtime/run_control.json")["status"] == "failed"
    assert lab.read("r/trials/trial_1/trial_state.json")["status"] == "completed"
    assert (lab.outcome()["exit_code"], lab.outcome()["errors"][0]["error_type"]) == (4, code)
    assert events(lab)[-2:] == ["benchmark_started", "run_finished"]
    assert lab("run", "verify", "outputs/r").status == 0


def test_a_failed_adapter_is_run_again_by_a_regrade_over_the_same_evidence(lab):
    lab.bundle("one")
    program = lab.home / "adapter.py"
    program.write_text("raise SystemExit(3)")
    lab.run("one", adapter=AdapterCommand(command=(sys.executable, "adapter.py")))
    ran = lab.cases_run()
    program.write_text(SAYS_NO)
    said = lab("run", "regrade", "outputs/r", "--adapter-only", "--json")
    assert said.status == 0, said.out
    assert said.json["regrade"]["benchmark_dir"] == str(lab.home / "outputs/r/benchmark")
    assert lab.cases_run() == ran
    assert [score["verdict"] for score in lab.lines("benchmark/scores.jsonl")] == ["fail"]
    assert lab("run", "verify", "outputs/r").status == 0


@pytest.mark.parametrize("where", ["prediction", "message", "binding"])
def test_c6_a_reference_in_a_text_is_no_reference_and_a_run_that_quotes_one_is_not_altered(lab, where):
    lab.bundle("one")
    adapter = None
    if where == "prediction":
        (lab.home / "adapter.py").write_text(NAMES_A_REFERENCE.replace("BOGUS", BOGUS))
        adapter = AdapterCommand(command=(sys.executable, "adapter.py"))
    if where == "message":
        cases = [{"case_name": f"case-{n}", "status": "passed", "score": 1, "message": BOGUS} for n in (1, 2, 3)]
        lab.engine.behaviours["separated-evaluator"] = evaluator(public_results=cases)
    ended = lab.run("one", adapter=adapter, bindings={"mine": {"log_ref": BOGUS}} if where == "binding" else {})
    assert (ended.error is not None) == (adapter is not None)
    quoted = [path for path, data in lab.files().items() if BOGUS.encode() in data and not path.endswith(".py")]
    assert quoted
    assert lab("run", "verify", "outputs/r").status == 0


def failing(lab, script="raise SystemExit(3)"):
    lab.bundle("one")
    adapter = {"command": [sys.executable, "-c", script], "timeout_s": 60}
    variants = [{"name": "mine", "solution": "mine"}]
    document = {"name": "e", "tasks": ["one"], "variants": variants, "baseline": "mine"}
    (lab.home / "e.json").write_text(json.dumps({**document, "benchmark": {"adapter": adapter}}))
    return ("experiment", "run", "e.json", "--run-id", "r")


@pytest.mark.parametrize("flag", ["--json", "--json-stream"])
def test_c3_d8_the_envelope_of_a_failed_adapter_has_the_run_and_its_outcomes(lab, flag):
    said = lab(*failing(lab), flag)
    envelope = json.loads(said.out.splitlines()[-1])
    assert (said.status, envelope["ok"], envelope["exit_code"]) == (4, False, 4)
    assert envelope["run"] == {"run_id": "r", "run_dir": str(lab.home / "outputs/r")}
    assert envelope["outcomes"]["mine"] == lab.outcome()
    assert envelope["error"]["code"] == "adapter_exit_nonzero"
    assert envelope["error"]["details"]["exit_status"] == 4
    assert envelope["artifacts"]["benchmark_dir"] is None


def test_c3_a_person_is_told_why_an_adapter_was_refused_and_where(lab):
    said = lab(*failing(lab, "import os; os.mkfifo(os.environ['AGENTICS_SCORES_PATH'])"))
    assert said.status == 4
    assert "adapter_manifest_missing" in said.err
    assert "benchmark_history/1/scores.jsonl" in said.err


def test_d8_a_regrade_whose_adapter_fails_names_the_run(lab):
    lab(*failing(lab))
    said = lab("run", "regrade", "outputs/r", "--adapter-only", "--json")
    assert (said.status, said.json["error"]["code"]) == (4, "adapter_exit_nonzero")
    assert said.json["run"] == {"run_id": "r", "run_dir": str(lab.home / "outputs/r")}


@pytest.mark.parametrize("make", ["os.mkfifo('left')", "import socket; socket.socket(1).bind('left')"])
def test_c3_a_special_file_of_an_adapter_costs_no_attestation(lab, make):
    lab(*failing(lab, f"import os; os.chdir(os.environ['AGENTICS_BENCHMARK_DIR'])\n{make}"))
    said = lab("run", "verify", "outputs/r", "--json")
    assert (said.status, said.json["notes"]) == (0, [])


def test_c3_a_special_file_elsewhere_in_the_run_is_named_and_not_read(lab):
    lab(*failing(lab, "import os; os.chdir(os.environ['AGENTICS_RUN_DIR']); os.mkfifo('left'); open(b'\\xff', 'w')"))
    said = lab("run", "verify", "outputs/r", "--json")
    assert said.status == 0
    assert [note.split(" is ")[0] for note in said.json["notes"]] == ["unknown: left", "unknown: \\ufffd"]
    (lab.home / "outputs/r/benchmark_history/1").joinpath("left").symlink_to("/etc/passwd")
    (altered,) = lab("run", "verify", "outputs/r", "--json").json["altered"]
    assert (altered["path"], altered["what"]) == ("benchmark_history/1/left", "no regular file")
