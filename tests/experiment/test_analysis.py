"""`analysis/` of a run, the comparison on the terminal, and its picture."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from agentics.cli import figure
from agentics.policy.compare.variants import Observation, compare
from agentics.rundir.files.layout import Layout
from agentics.rundir.projections.analysis import read_sheet, summary, tables
from agentics.rundir.projections.analysis_files import load_sql, write_analysis
from agentics.rundir.reader import read_run
from agentics.schemas import DOCUMENTS, schema
from tests.fake_engine import exited
from tests.runner.lab import evaluator

pytestmark = pytest.mark.slow


@pytest.fixture
def compared(stocked):
    """A run in which `other` fails on task two, and its words to `agentics`."""
    good, bad = evaluator(), evaluator(passed=0)
    count = iter(range(100))
    stocked.engine.behaviours["separated-evaluator"] = lambda c: bad(c) if next(count) == 3 else good(c)
    stocked("eval", "one", "two", "--solution", "mine", "--solution", "other", "--run-id", "r")
    return stocked


def rows(stocked, table: str):
    text = (stocked.home / "outputs" / "r" / "analysis" / "tables" / f"{table}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def written(stocked):
    root = stocked.home / "outputs" / "r"
    write_analysis(Layout(root), read_run(root))
    return root / "analysis"


def test_a_run_is_told_as_tables(compared):
    place = written(compared)
    trials = rows(compared, "trials")
    assert [(r["trial_id"], r["variant_id"], r["outcome"]) for r in trials] == [
        ("trial_1", "mine", "success"),
        ("trial_2", "mine", "success"),
        ("trial_3", "other", "success"),
        ("trial_4", "other", "failure"),
    ]
    assert {r["metric_name"] for r in rows(compared, "metrics_long") if r["is_primary"]} == {"score"}
    assert [(r["variant_id"], r["success_rate"]) for r in rows(compared, "variant_summary")] == [
        ("mine", 1.0),
        ("other", 0.5),
    ]
    told = json.loads((place / "summary.json").read_bytes())
    assert told["baseline_id"] == "mine"
    assert told["variants"]["other"]["primary_metric_mean"] == 0.5
    (one,) = json.loads((place / "comparisons.json").read_bytes())["comparisons"]
    assert (one["baseline_success_rate"], one["variant_success_rate"], one["paired"]) == (1.0, 0.5, None)


def test_c5_every_line_of_the_analysis_is_what_its_schema_says(compared):
    place = written(compared)
    known = {
        model.model_fields["schema_version"].default: Draft202012Validator(schema(name))
        for name, model in DOCUMENTS.items()
        if name.startswith("analysis-")
    }
    documents = [json.loads(path.read_bytes()) for path in place.glob("*.json")]
    documents += [json.loads(line) for path in place.glob("tables/*.jsonl") for line in path.read_text().splitlines()]
    assert len(documents) > 10
    for document in documents:
        known[document["schema_version"]].validate(document)


def test_writing_again_writes_the_same(compared):
    place = written(compared)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    written(compared)
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_events_are_counted_by_what_they_were_told_of(compared):
    written(compared)
    assert [(r["trial_id"], r["event"], r["count"]) for r in rows(compared, "event_counts_by_trial")] == [
        (f"trial_{n}", event, 1) for n in (1, 2, 3, 4) for event in ("trial_finished", "trial_started")
    ]
    assert [(r["variant_id"], r["event"], r["count"]) for r in rows(compared, "event_counts_by_variant")] == [
        (variant, event, 2) for variant in ("mine", "other") for event in ("trial_finished", "trial_started")
    ]


def test_a_pruned_slot_is_a_row_without_a_trial_and_no_loss(compared):
    root = compared.home / "outputs" / "r"
    progress = {
        "schedule": [{"variant_idx": 1, "task_idx": 1, "repl_idx": 0}],
        "completed_slots": [{"schedule_index": 0, "trial_id": "", "status": "skipped_pruned"}],
    }
    (root / "runtime" / "schedule_progress.json").write_text(json.dumps(progress))
    shutil.rmtree(root / "trials" / "trial_4")
    written(compared)
    (last,) = [r for r in rows(compared, "trials") if r["trial_id"] is None]
    assert (last["trial_status"], last["outcome"], last["status"]) == ("skipped_pruned", "missing", "skipped")
    said = compared("run", "compare", "outputs/r", "--json").json
    assert said["comparisons"][0]["paired"]["excluded"] == {"variant:skipped_pruned": 1}
    assert said["comparisons"][0]["paired"]["losses"] == 0


def test_a_slot_that_was_never_run_is_pending(compared):
    shutil.rmtree(compared.home / "outputs" / "r" / "trials" / "trial_4")
    sheet = read_sheet(read_run(compared.home / "outputs" / "r"))
    assert summary(sheet).variants["other"].excluded == {"pending": 1}
    assert [r.status for r in tables(sheet).trials if r.trial_id is None] == ["pending"]


def test_of_an_official_run_the_tables_hold_what_the_outcome_holds(stocked):
    stocked.eval("one", "--mode", "official")
    written(stocked)
    outcome = json.dumps(stocked.outcome())
    assert [r["metric_name"] for r in rows(stocked, "metrics_long")] == ["score"]
    (trial,) = rows(stocked, "trials")
    ours = {"schema_version", "is_baseline", "trial_status", "outcome", "repl_idx", "started_at", "ended_at"}
    assert {k for k, v in trial.items() if k not in ours and v is not None and json.dumps(v) not in outcome} == set()
    assert "slowest_ms" not in "".join(p.read_text() for p in (stocked.home / "outputs/r/analysis").rglob("*.jsonl"))


def test_the_sql_names_every_table_and_gives_figures_a_type():
    text = load_sql()
    assert text.count("CREATE OR REPLACE TABLE") == 6
    assert "wall_s: 'DOUBLE'" in text
    assert "attempts: 'BIGINT'" in text
    assert "is_primary: 'BOOLEAN'" in text


def test_a_comparison_is_told_on_the_terminal(compared):
    said = compared("run", "compare", "outputs/r")
    assert said.status == 0
    assert "1.00 over 2/2" in said.out
    assert "0.50 over 2/2" in said.out
    assert "0/1/1" in said.out
    assert "1.000" in said.out


def test_what_is_excluded_is_told_with_its_reason(stocked):
    count, good = iter(range(100)), evaluator()
    stocked.engine.behaviours["separated-evaluator"] = lambda c: good(c) if next(count) else exited(3)
    stocked.eval("one", "two", "--solution", "other")
    said = stocked("run", "compare", "outputs/r")
    assert "1.00 over 1/2, 1 excluded" in said.out
    assert "1 pair excluded" in said.err
    assert "baseline: the evaluator ended badly" in said.err


def test_the_baseline_can_be_another(compared):
    said = compared("run", "compare", "outputs/r", "--baseline", "other", "--json").json
    assert (said["baseline"], said["comparisons"][0]["variant"]) == ("other", "mine")
    assert said["comparisons"][0]["paired"]["wins"] == 1


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["--baseline", "othr"], "unknown_variant", "did you mean 'other'?"),
        (["--plot", "x.bmp"], "bad_plot", None),
        (["--plot", "nowhere/x.svg"], "bad_plot", None),
    ],
)
def test_nonsense_is_refused(compared, words, code, hint):
    said = compared("run", "compare", "outputs/r", "--json", *words)
    assert (said.status, said.json["error"]["code"], said.json["error"]["hint"]) == (2, code, hint)


def test_one_variant_is_no_comparison(stocked):
    stocked.eval("one")
    said = stocked("run", "compare", "outputs/r", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "nothing_to_compare")


@pytest.mark.parametrize(("name", "head"), [("x.svg", b"<?xml"), ("x.png", b"\x89PNG"), ("x.pdf", b"%PDF")])
def test_a_picture_is_drawn_beside_the_table(compared, name, head):
    said = compared("run", "compare", "outputs/r", "--plot", name, "--json")
    assert said.json["plot"] == name
    assert (compared.home / name).read_bytes().startswith(head)


def test_without_matplotlib_there_is_no_picture_and_a_hint(compared, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = compared("run", "compare", "outputs/r", "--plot", "x.svg", "--json")
    assert (said.status, said.json["error"]["code"]) == (2, "no_matplotlib")
    assert "agentics[plot]" in said.json["error"]["hint"]
    assert compared("run", "compare", "outputs/r").status == 0


def test_a_picture_bears_strange_names_many_tasks_and_no_verdict_at_all(tmp_path):
    def side(verdict, tasks=60):
        return [Observation(task=f"$t_{n}$\x1b[31m", repl=0, verdict=verdict) for n in range(tasks)]

    sides = {"$\\frac{": side("success"), "x" * 200: side(None), "\u7b54\n": side("failure")}
    figure.draw(tmp_path / "x.svg", "title", sides, compare(sides, "$\\frac{", "paired"))
    figure.draw(tmp_path / "y.svg", "title", sides, compare(sides, "$\\frac{", "unpaired"))
    figure.draw(tmp_path / "z.svg", "title", sides, compare(sides, "$\\frac{", "paired"))
    assert (tmp_path / "x.svg").read_bytes() == (tmp_path / "z.svg").read_bytes()


@pytest.mark.parametrize("module", ["agentics.cli.evaluate", "agentics.cli.run", "agentics.cli.experiment"])
def test_nobody_waits_for_a_library_that_draws(module):
    code = f"import sys, {module}; print('matplotlib' in sys.modules, 'yaml' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said == ["False", str(module == "agentics.cli.experiment")]


def test_evidence_that_cannot_be_read_keeps_nobody_from_the_tables(compared):
    written(compared)
    before = rows(compared, "metrics_long")
    (compared.home / "outputs/r/trials/trial_1/attempts/1/evidence.json").write_text("{")
    written(compared)
    assert rows(compared, "metrics_long") == before
