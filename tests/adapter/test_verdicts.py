"""The shipped adapter, run as a user has it run: by its command, as a program of its own."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agentics.errors import BenchmarkError
from agentics.model.run.design import AdapterCommand
from agentics.schemas import DOCUMENTS, schema
from tests.adapter.conftest import contents, evidence, ids, lines, result, score, trial
from tests.docs.conftest import ROOT, code_blocks

pytestmark = pytest.mark.slow

VERDICTS = AdapterCommand(command=(sys.executable, "-m", "agentics.adapters.verdicts"))
PAGE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
REF = re.compile(r'"artifact://sha256/([^"]*)"')


@pytest.fixture(autouse=True)
def this_checkout(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.parametrize(
    ("outcome", "verdict"), [("success", "pass"), ("failure", "fail"), ("missing", "missing"), ("error", "error")]
)
def test_each_outcome_has_its_verdict(root, outcome, verdict):
    trial(root, 1, outcome, objective={"name": "points", "value": 7.5, "direction": "maximize"})
    (row,) = score(root, VERDICTS).scores
    assert row.verdict == verdict
    counts = verdict in {"pass", "fail"}
    assert row.primary_metric_value == (7.5 if counts else 0.0)
    assert row.metrics["primary_metric_defined"] is counts
    assert (row.error is not None) == (verdict == "error")


def test_the_number_of_a_trial_without_a_verdict_counts_in_no_mean(root):
    trial(root, 1, objective={"name": "points", "value": 8})
    trial(root, 2, "error")
    (variant,) = score(root, VERDICTS).summary.variants
    assert (variant.primary_metric_name, variant.primary_metric_mean, variant.error) == ("points", 8.0, 1)


def test_a_verdict_without_a_number_is_its_own_number(root):
    trial(root, 1)
    trial(root, 2, "failure")
    rows = score(root, VERDICTS).scores
    assert [(row.primary_metric_name, row.primary_metric_value) for row in rows] == [("passed", 1.0), ("passed", 0.0)]


def test_each_trial_is_predicted_by_its_result_of_the_newest_attempt(root):
    own = trial(root, 1, "error")
    evidence(root, result(own), own, attempt=2)
    found = score(root, VERDICTS)
    ledger = lines(root / "evidence" / "evidence_records.jsonl")
    assert [row.prediction.artifact_ref for row in found.predictions] == [ledger[1]["evidence"]["trial_output_ref"]]
    assert [row.verdict for row in found.scores] == ["pass"]


def test_a_result_that_breaks_its_contract_is_an_error_and_no_score(root):
    evidence(root, b'{"outcome": "success"}', ids(1))
    (row,) = score(root, VERDICTS).scores
    assert (row.verdict, row.metrics) == ("error", {"primary_metric_defined": False})


def test_evidence_that_was_tampered_with_stops_it(root):
    trial(root, 1, "failure")
    ref = lines(root / "evidence" / "evidence_records.jsonl")[0]["evidence"]["trial_output_ref"]
    blob = root / "artifacts" / "sha256" / ref.rpartition("/")[2] / "blob"
    blob.write_bytes(blob.read_bytes().replace(b"failure", b"success"))
    with pytest.raises(BenchmarkError) as caught:
        score(root, VERDICTS)
    assert caught.value.code == "adapter_exit_nonzero"
    log = root / "benchmark_history" / "1" / "evaluator_logs" / "adapter_stderr.log"
    assert "not what its name says" in log.read_text()


def test_official_results_are_those_of_the_official_evaluator(root):
    document = result(ids(1))
    document["ext"]["mode"] = "official"
    evidence(root, document, ids(1))
    manifest = score(root, VERDICTS).manifest
    assert (manifest.evaluator.mode, manifest.benchmark.split) == ("official", "official")


def test_the_same_evidence_gives_the_same_bytes(root):
    trial(root, 1)
    trial(root, 2, "failure", variant="b")
    score(root, VERDICTS)
    score(root, VERDICTS)
    now, before = contents(root / "benchmark"), contents(root / "benchmark_history" / "1")
    assert {**now, "summary.json": b""} == {**before, "summary.json": b""}


def test_a_run_without_trials_is_scored_with_nothing(root):
    assert score(root, VERDICTS).scores == ()


def test_it_says_what_it_is_when_somebody_calls_it_by_hand(monkeypatch):
    monkeypatch.delenv("AGENTICS_RUN_DIR", raising=False)
    ended = subprocess.run(VERDICTS.command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "AGENTICS_RUN_DIR" in ended.stderr
    assert "Traceback" not in ended.stderr


def documents(root: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted((root / "benchmark").rglob("*.json*")):
        text = path.read_text(encoding="utf-8")
        for line in text.splitlines() if path.suffix == ".jsonl" else [text]:
            yield path.name, json.loads(line)


def test_c5_what_was_accepted_is_valid_by_the_published_schemas(root):
    trial(root, 1)
    trial(root, 2, "error")
    score(root, VERDICTS)
    by_version = {
        model.model_fields["schema_version"].annotation.__args__[0]: name
        for name, model in DOCUMENTS.items()
        if name.startswith("benchmark-")
    }
    seen = {name for name, document in documents(root)}
    assert seen == {"adapter_manifest.json", "predictions.jsonl", "scores.jsonl", "summary.json"}
    for _, document in documents(root):
        Draft202012Validator(schema(by_version[document["schema_version"]])).validate(document)


def test_c6_every_ref_in_the_run_leads_to_bytes_of_that_digest(root):
    trial(root, 1)
    trial(root, 2, "failure")
    score(root, VERDICTS)
    texts = [data.decode() for path, data in contents(root).items() if path.endswith((".json", ".jsonl"))]
    digests = {digest for text in texts for digest in REF.findall(text)}
    assert len(digests) == 3
    for digest in digests:
        blob = root / "artifacts" / "sha256" / digest / "blob"
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == digest


def test_the_adapter_of_the_page_works(root):
    trial(root, 1)
    trial(root, 2, "failure")
    (root.parent / "adapter.py").write_text(code_blocks(PAGE, "python")[0], encoding="utf-8")
    found = score(root, AdapterCommand(command=(sys.executable, "adapter.py")))
    assert [row.verdict for row in found.scores] == ["pass", "fail"]
    assert found.summary.variants[0].primary_metric_mean == 0.5


def test_the_page_names_every_variable_and_every_code():
    source = (ROOT / "agentics" / "runner" / "adapter.py").read_text(encoding="utf-8")
    told = re.findall(r'^        "([A-Z_]+)":', source, re.M)
    assert len(told) == 11
    assert [name for name in told if f"`AGENTICS_{name}`" not in PAGE] == []
    codes = set(re.findall(r'"((?:adapter|evidence_class)_[a-z_]+)"', source))
    assert len(codes) == 7
    assert [code for code in codes if f"`{code}`" not in PAGE] == []
