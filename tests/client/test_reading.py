"""What the client reads of a run directory: as it is, empty where nothing was written, an error where it is damaged."""

from __future__ import annotations

import json

import pytest

from agentics.client import Client, ClientError
from tests.runner.lab import lab, solution

__all__ = ["lab"]


@pytest.fixture
def client(tmp_path):
    return Client(cwd=tmp_path)


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_what_was_never_written_is_empty_and_an_analysis_is_an_error(client):
    assert client.read_evidence("r") == {"evidence": [], "task_chains": []}
    assert client.read_benchmark("r") == {"manifest": None, "predictions": [], "scores": [], "summary": None}
    assert client.read_events("r") == ()
    for call in (client.read_analysis, client.read_outcome):
        with pytest.raises(ClientError) as caught:
            call("r")
        assert (caught.value.code, caught.value.exit_code) == ("missing_file", None)


def test_what_was_written_is_read_and_a_line_that_is_not_whole_is_left_out(client, tmp_path):
    write(tmp_path / "r/evidence/evidence_records.jsonl", {"a": 1}, {"a": 2})
    with (tmp_path / "r/evidence/evidence_records.jsonl").open("a") as file:
        file.write('{"a": ')
    write(tmp_path / "r/benchmark/scores.jsonl", {"verdict": "pass"})
    write(tmp_path / "r/benchmark/summary.json", {"totals": {}})
    write(tmp_path / "r/analysis/summary.json", {"baseline_id": "b"})
    write(tmp_path / "r/analysis/comparisons.json", {"comparisons": []})
    assert client.read_evidence("r")["evidence"] == [{"a": 1}, {"a": 2}]
    benchmark = client.read_benchmark("r")
    assert (benchmark["scores"], benchmark["summary"]) == ([{"verdict": "pass"}], {"totals": {}})
    assert client.read_analysis("r") == {"summary": {"baseline_id": "b"}, "comparisons": {"comparisons": []}}


DAMAGED = {
    "evidence/task_chain_states.jsonl": "read_evidence",
    "benchmark/adapter_manifest.json": "read_benchmark",
    "benchmark/predictions.jsonl": "read_benchmark",
    "analysis/summary.json": "read_analysis",
    "mine/run_outcome.json": "read_outcome",
    "runtime/events.jsonl": "read_events",
}


@pytest.mark.parametrize("content", ["{\n", "[1]\n", "\xff\n"])
@pytest.mark.parametrize("file", DAMAGED)
def test_a_damaged_file_is_named(client, tmp_path, file, content):
    path = tmp_path / "r" / file
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ClientError, match=path.name) as caught:
        getattr(client, DAMAGED[file])("r")
    assert caught.value.code == "damaged_file"


def test_a_real_run_is_read_back(lab):
    lab.bundle("one")
    solution(lab.home / "other", "theirs")
    lab.eval("one", "--solution", "other/theirs")
    client = Client(cwd=lab.home / "outputs")
    assert client.read_outcome("r", "theirs").model == "theirs"
    assert [event.seq for event in client.read_events("r", first=5)] == [5, 6]
    with pytest.raises(ClientError, match="mine, theirs"):
        client.read_outcome("r")
