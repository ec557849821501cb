"""What is kept of a case's files is bounded, whatever it leaves; evaluators see all of it."""

from __future__ import annotations

import hashlib
import json

import pytest

from agentics.config import EvidenceBounds
from agentics.model.evidence.trial_evidence import CaseRecord
from agentics.pipeline.attempt_tools import Resume
from tests.stages.test_restore import leaves

STREAMS = (("stdout.txt", "42\n"), ("stderr.txt", "oh"))
MANY = tuple((f"output/{number:03}", f"{number}") for number in range(100))


def bounds(entries=1 << 20, name_bytes=1 << 20, size_bytes=1 << 20):
    return EvidenceBounds(case_entries=entries, case_name_bytes=name_bytes, case_bytes=size_bytes)


@pytest.fixture
def case(attempt, engine):
    """The record of a case that left this, and the attempt."""

    def carried_out(allowed, *files, **more):
        engine.behaviours["run"] = leaves(*files, **more)
        made = attempt(limit=1)
        made.tools.evidence_bounds = allowed
        return made.cases()[0], made

    return carried_out


def test_up_to_the_bounds_everything_is_kept_and_nothing_is_said(case):
    names = sum(len(path) for path, _ in STREAMS) + len("output/a") + len("tmp") + len("input")
    exact = bounds(entries=5, name_bytes=names, size_bytes=len("42\noh") + 4)
    record, _ = case(exact, *STREAMS, ("output/a", "four"))
    assert record.listing is None
    assert ([file.path for file in record.files], record.folders) == (
        ["output/a", "stderr.txt", "stdout.txt"],
        ("input", "tmp"),
    )


@pytest.mark.parametrize("allowed", [bounds(entries=10), bounds(name_bytes=80), bounds(size_bytes=15)])
def test_beyond_any_bound_the_streams_and_the_first_files_are_kept_and_all_are_counted(case, allowed):
    record, made = case(allowed, *STREAMS, *MANY)
    assert {"stdout.txt", "stderr.txt"} < {file.path for file in record.files}
    assert len(record.files) + len(record.folders) <= allowed.case_entries
    assert sum(len(file.path) for file in record.files) <= allowed.case_name_bytes
    assert sum(file.size_bytes for file in record.files) <= allowed.case_bytes
    every = sorted((*STREAMS, *MANY))
    lines = [[path, len(text), hashlib.sha256(text.encode()).hexdigest(), False] for path, text in every]
    text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in [*lines, ["input"], ["tmp"]])
    assert record.listing.model_dump() == {
        "files": 102,
        "folders": 2,
        "size_bytes": sum(len(text) for _, text in every),
        "name_bytes": sum(len(path) for path, _ in every) + len("inputtmp"),
        "digest": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
    }
    seen = made.seen()
    assert all(seen[f"case-1/{path}"][1] == text.encode() for path, text in every)
    assert record.clean
    kept = [line["listing"] for line in made.ledger("cases")]
    assert kept == [record.listing.model_dump()]


def test_of_a_stream_that_does_not_fit_the_end_is_kept(case):
    record, made = case(bounds(size_bytes=1000), ("stdout.txt", "x" * 2000 + "end"), ("stderr.txt", "short"))
    assert [file.path for file in record.files] == ["stderr.txt"]
    (tail,) = record.tails
    assert (tail.path, tail.size_bytes) == ("stdout.txt", 2003)
    assert made.content(tail.ref).endswith(b"end")


def test_a_case_of_which_a_part_is_kept_is_not_restored_but_run_again(case, attempt, engine):
    record, _ = case(bounds(entries=10), *STREAMS, *MANY)
    ran = len(engine.containers)
    (again,) = attempt(limit=1, resume=Resume(cases={record.run_name: record})).cases()
    assert len(engine.containers) == ran + 1
    assert not again.restored


def test_a_record_is_small_whatever_a_case_left(case):
    """8 100 files with names of 255 bytes made 3.6 MB of every case."""
    names = tuple((f"output/{number:05}{'n' * 250}", "") for number in range(2000))
    record, made = case(EvidenceBounds(), *names)
    assert record.listing.files == 2000
    (line,) = (made.root / "cases.jsonl").read_bytes().splitlines()
    assert len(line) < 150_000
    assert CaseRecord.model_validate_json(record.model_dump_json()) == record


def test_an_input_whose_path_is_deeper_than_any_walk_goes_is_the_challenges_fault(attempt, tmp_path, engine):
    runs = tmp_path / "one" / "public" / "runs.json"
    document = json.loads(runs.read_text())
    deep = {"path": "d/" * 1500 + "file", "source_path": None, "content": "x", "content_json": None}
    document["runs"][0]["input_files"] = [deep]
    runs.write_text(json.dumps(document))
    failed = attempt().run("cases")
    assert (failed.trouble.code, failed.trouble.fault) == ("manifest_invalid", "challenge")
    assert engine.containers == []
