"""Documents of strangers: how large, how many mistakes, and links in their place."""

import json
import os
import subprocess
import sys

import pytest

from agentics.archive.documents import read_document
from agentics.bundle import check, load_challenge
from agentics.errors import InvalidDocument
from agentics.lighteval.suites import read_suites
from agentics.model.bundle.evaluator_result import Result
from agentics.model.bundle.manifest import RunManifest
from agentics.model.document.formats import read
from agentics.model.document.parsing import MAX_FINDINGS, MAX_PROBLEMS, load
from agentics.model.document.size_caps import MANIFEST, OTHER, RESULT, SMALL
from agentics.model.job.jobspec import JobSpec
from agentics.model.job.suite import Suite
from agentics.policy.bundle.checks import read_challenge
from agentics.request.experiment_file import parse_experiment


def codes(findings):
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("document", "cap"), [(JobSpec, SMALL), (RunManifest, MANIFEST), (Result, RESULT)], ids=lambda each: str(each)[:40]
)
def test_a_text_that_is_larger_than_its_kind_may_be_is_not_read(document, cap):
    (found,) = load(document, b" " * cap.bytes + b"]", "f.json").findings
    assert (found.code, found.line, found.column) == ("too_large", 1, 1)
    assert str(cap.bytes) in found.message
    assert "docs/bundle-format.md" in found.hint
    assert codes(load(document, b" " * (cap.bytes - 1) + b"]", "f.json").findings) == ["syntax"]


def test_a_text_with_too_many_values_is_read_up_to_there():
    text = b"[" + b"[]," * SMALL.values + b"[]]"
    (found,) = load(JobSpec, text, "job.json").findings
    assert (found.code, found.line, found.column) == ("too_many_values", 1, 1 + 3 * (SMALL.values - 1) + 1)


def test_as_many_values_as_are_allowed_are_read():
    text = b"[" + b"0," * (SMALL.values - 2) + b"0]"
    assert codes(load(JobSpec, text, "f").findings) == ["wrong_type"]
    assert codes(load(JobSpec, text.replace(b"[", b"[0,", 1), "f").findings) == ["too_many_values"]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (Result, b'{"status":"passed","public_results":[' + b"{}," * 100_000 + b"{}]}"),
        (RunManifest, b'{"runs":[' + b"{}," * 100_000 + b"{}]}"),
        (JobSpec, b"[" + b"[]," * 300_000 + b"[]]"),
        (RunManifest, b"[" * 16_000_000 + b"]" * 16_000_000),
        (Result, b"{" + b",".join(b'"k%06d":0' % index for index in range(100_000)) + b"}"),
        (Result, b"{" + b'"k":0,' * 100_000 + b'"k":0}'),
        (RunManifest, b'{"runs":0}' + b"\n" * 20_000_000),
    ],
    ids=["results", "runs", "lists", "deep", "keys", "repeated", "lines"],
)
def test_the_memory_of_a_document_is_a_small_multiple_of_its_text(document, text, tmp_path):
    (tmp_path / "f").write_bytes(text)
    program = (
        "import resource, sys; from pathlib import Path; from agentics.model.document.parsing import load; "
        f"from {document.__module__} import {document.__name__} as model; data = Path(sys.argv[1]).read_bytes(); "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; assert load(model, data, 'f').value is None; "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "f")], capture_output=True, check=True)
    assert int(done.stdout) << 10 < 32 * len(text) + (16 << 20)


def test_a_million_mistakes_take_the_time_of_two_hundred():
    runs = b"{}," * 1000
    text = b'{"runs":[' + runs * 90 + b"{}]}"
    found = load(RunManifest, text, "runs.json").findings
    assert codes(found).count("too_many_findings") == 1
    assert len(found) <= MAX_PROBLEMS + 1


def test_mistakes_behind_a_thousand_sound_entries_are_summed_up_too():
    case = '{"case_name":"a","status":"passed","score":1}'
    text = f'{{"status":"passed","public_results":[{",".join([case] * 2000 + ["{}"] * 10_000)}]}}'.encode()
    loaded = load(Result, text, "result.json")
    assert loaded.value is None
    assert "too_many_findings" in codes(loaded.findings)
    assert len(loaded.findings) <= MAX_PROBLEMS + 1


def test_rules_find_no_more_than_can_be_listed(spec, changed, encoded):
    metric = spec["metric_schema"]["metrics"][0]
    found = read_challenge(encoded(changed(spec, "/metric_schema/metrics", [metric] * 3000))).findings
    assert codes(found).count("duplicate_name") == MAX_PROBLEMS
    assert codes(found).count("too_many_findings") == 1


def test_a_tree_of_links_ends_in_few_findings(bundle):
    for index in range(MAX_FINDINGS + 50):
        (bundle / f"link{index}").symlink_to("spec.json")
    (result,) = check(bundle).results
    assert codes(result.findings).count("symlink") <= MAX_FINDINGS
    assert codes(result.findings)[-1] == "too_many_findings"


@pytest.fixture
def secret(tmp_path, bundle):
    """A bundle's directory that is elsewhere, with a key that must not be quoted."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    (place / "spec.json").write_text('{"SECRET_KEY": 1}')
    return place


def said(result):
    return json.dumps([vars(finding) for finding in result.findings], default=str)


def test_a_link_in_a_folder_of_bundles_is_reported_and_not_read(tmp_path, secret):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "v1").symlink_to(secret)
    (result,) = check(folder).results
    assert codes(result.findings) == ["symlink"]
    assert "SECRET" not in said(result)


def test_a_link_beside_a_bundle_is_reported_and_not_read(bundle, secret):
    (bundle.parent / "other").symlink_to(secret)
    results = {result.path: result for result in check(bundle.parent).results}
    assert results[str(bundle)].status == "passed"
    assert codes(results[str(bundle.parent / "other")].findings) == ["symlink"]
    assert "SECRET" not in said(results[str(bundle.parent / "other")])


def test_a_folder_of_challenges_that_is_a_link_is_reported_and_not_read(tmp_path, secret):
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "challenges").symlink_to(secret.parent)
    (result,) = check(repository).results
    assert codes(result.findings) == ["symlink"]
    assert "SECRET" not in said(result)


@pytest.mark.parametrize("broken", [False, True])
def test_a_version_that_is_a_link_is_reported_and_not_read(proposed, secret, broken):
    (proposed / "v1").rename(proposed.parent / "v1")
    (proposed / "v1").symlink_to(secret)
    if broken:
        (proposed / "agentics.challenge.json").write_text("{}")
    (result,) = check(proposed).results
    assert "symlink" in codes(result.findings)
    assert "SECRET" not in said(result)
    with pytest.raises(InvalidDocument) as refused:
        load_challenge(proposed)
    assert "SECRET" not in str(refused.value.findings)


@pytest.mark.parametrize("name", ["spec.json", "statement.md", "public/runs.json"])
def test_a_document_that_is_a_link_is_reported_and_not_read(bundle, tmp_path, name):
    (tmp_path / "there").write_text('{"SECRET_KEY": 1}')
    (bundle / name).unlink()
    (bundle / name).symlink_to(tmp_path / "there")
    (result,) = check(bundle).results
    assert "symlink" in codes(result.findings)
    assert "SECRET" not in said(result)


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/hostname"), os.mkfifo, os.mkdir])
def test_a_document_that_a_path_names_is_a_regular_file(tmp_path, make):
    make(tmp_path / "e.json")
    for reading in (lambda path: read_document(path, JobSpec), parse_experiment):
        with pytest.raises(InvalidDocument) as refused:
            reading(tmp_path / "e.json")
        assert codes(refused.value.findings) == ["not_a_file"]


def test_a_suite_that_is_a_link_is_reported_and_not_read(tmp_path):
    (tmp_path / "there").write_text('{"SECRET_KEY": 1}')
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "s.json").symlink_to(tmp_path / "there")
    found = read_suites([str(tmp_path / "mine")]).findings
    assert codes(found) == ["not_a_file"]
    assert "SECRET" not in str(found)


@pytest.mark.parametrize("kind", ["yaml", "toml"])
def test_other_formats_have_a_size_too(tmp_path, kind):
    file = tmp_path / f"e.{kind}"
    file.write_bytes(b"# \n" * (OTHER.bytes // 3 + 1))
    with pytest.raises(InvalidDocument) as refused:
        parse_experiment(file)
    assert codes(refused.value.findings) == ["too_large"]


def test_yaml_of_many_values_is_read_up_to_there():
    with pytest.raises(InvalidDocument) as refused:
        read(Suite, b"[" + b"[]," * OTHER.values + b"[]]", "yaml", "s.yaml")
    (found,) = refused.value.findings
    assert (found.code, found.line) == ("too_many_values", 1)
