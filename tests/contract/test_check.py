"""`check`: the shapes it takes, what it finds in each, and how it counts."""

import pytest

from agentics.bundle import check
from agentics.bundle.leaks import NAMES
from agentics.errors import UsageError

RUN_NETWORK = "/targets/0/resource_profile/solution/run/network_access"


def codes(path):
    (result,) = check(path).results
    assert (result.status == "failed") is bool([f for f in result.findings if f.severity == "error"])
    assert (result.error is None) is (result.status == "passed")
    return [finding.code for finding in result.findings]


def test_a_proposal_in_order_passes(proposed):
    report = check(proposed)
    assert (report.checked_count, report.passed_count, report.failed_count, report.warning_count) == (1, 1, 0, 0)
    (result,) = report.results
    assert result.model_dump() == {
        "path": str(proposed),
        "challenge_name": "sum-two",
        "status": "passed",
        "warnings": (),
        "error": None,
        "findings": (),
    }


@pytest.mark.parametrize("below", ["challenges", "."])
def test_a_folder_of_proposals_is_checked_one_by_one(below, proposed, tmp_path):
    root = tmp_path / "repository"
    (root / below).mkdir(parents=True)
    (root / "other").mkdir()
    proposed.rename(root / below / "sum-two")
    (root / below / "broken").mkdir()
    (root / below / "broken" / "agentics.challenge.json").write_text("{")
    report = check(root)
    assert (report.checked_count, report.passed_count, report.failed_count) == (2, 1, 1)
    assert [result.challenge_name for result in report.results] == [None, "sum-two"]


def test_bundles_alone_and_folders_of_bundles_are_checked_too(bundle, tmp_path):
    assert codes(bundle) == []
    assert check(tmp_path).checked_count == 1


@pytest.mark.parametrize("name", ["nothing", "."])
def test_what_holds_nothing_to_check_is_a_usage_error(name, tmp_path):
    with pytest.raises(UsageError) as caught:
        check(tmp_path / name)
    assert "agentics.challenge.json" in caught.value.hint


def test_the_directory_is_called_like_the_challenge(proposed):
    renamed = proposed.rename(proposed.with_name("Sum-Two"))
    assert codes(renamed) == ["directory_name"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("README.md", "missing_file"),
        ("v1/spec.json", "missing_file"),
        ("v1/statement.md", "missing_file"),
        ("v1/public/runs.json", "missing_file"),
        ("v1/public/c.bin", "missing_file"),
        ("v1/separated-evaluator/e.py", "missing_file"),
    ],
)
def test_a_missing_file_is_found(path, code, proposed):
    (proposed / path).unlink()
    assert codes(proposed) == [code]


def test_a_missing_setup_script_is_found(proposed, spec, changed, encoded):
    setup = {
        "command": ["python3", "separated-evaluator/gen.py"],
        "result_runs_file": "r",
        "reproducibility_notes": None,
    }
    spec = changed(changed(spec, "/execution/official_evaluation_setup", setup), "/execution/official_runs", None)
    (proposed / "v1" / "spec.json").write_bytes(encoded(spec))
    (result,) = check(proposed).results
    assert [(f.code, f.pointer) for f in result.findings] == [
        ("missing_file", "/execution/official_evaluation_setup/command/1")
    ]


def test_a_script_that_a_private_asset_brings_may_be_missing(proposed, proposal, spec, changed, encoded):
    setup = {
        "command": ["python3", "separated-evaluator/gen.py"],
        "result_runs_file": "r",
        "reproducibility_notes": None,
    }
    spec = changed(changed(spec, "/execution/official_evaluation_setup", setup), "/execution/official_runs", None)
    (proposed / "v1" / "spec.json").write_bytes(encoded(spec))
    for pointer, value in (("kind", "private_evaluator_package"), ("required_paths", ["separated-evaluator/gen.py"])):
        carried = changed(proposal, f"/private_assets/0/{pointer}", value)
        (proposed / "agentics.challenge.json").write_bytes(encoded(carried))
        assert codes(proposed) == []


def test_an_official_manifest_in_public_is_validated(proposed, spec, changed, encoded):
    (proposed / "v1" / "spec.json").write_bytes(encoded(changed(spec, "/execution/official_runs", "public/o.json")))
    assert codes(proposed) == ["missing_file"]
    (proposed / "v1" / "public" / "o.json").write_text('{"runs": []}')
    assert codes(proposed) == ["empty_list"]


@pytest.mark.parametrize("name", [*sorted(NAMES), "x.pem", "SERVER.KEY", "a.p12", ".ENV", "Private"])
def test_private_names_are_found_whatever_their_case_as_files_and_directories(name, proposed):
    (proposed / "v1" / "public" / name).write_text("x")
    assert codes(proposed)[0] == "private_name"
    (proposed / "v1" / "public" / name).unlink()
    (proposed / "deep" / name).mkdir(parents=True)
    assert codes(proposed) == ["private_name"]


def test_names_that_only_resemble_private_ones_pass(proposed):
    for name in ("x.\u212aey", "\u017fecret", "privately", "secret.txt", "key", "x.keys", "environment", ".gitignore"):
        (proposed / name).write_text("x")
    (proposed / ".git").mkdir()
    (proposed / ".git" / "private").write_text("x")
    assert codes(proposed) == []


def test_links_are_found(proposed):
    (proposed / "link").symlink_to("README.md")
    assert codes(proposed) == ["symlink"]


def test_a_private_directory_under_any_name_is_found(proposed, spec, changed, encoded):
    (proposed / "v1" / "spec.json").write_bytes(
        encoded(changed(spec, "/datasets/private_benchmark_dir", "hidden-cases"))
    )
    (proposed / "v1" / "hidden-cases").mkdir()
    assert "private_data" in codes(proposed)


def test_differences_between_proposal_and_bundle_are_found(proposed, proposal, changed, encoded):
    (proposed / "agentics.challenge.json").write_bytes(encoded(changed(proposal, "/summary/en", "Other.")))
    assert codes(proposed) == ["differs_from_spec"]


def test_everything_is_reported_at_once(proposed, spec, changed, encoded):
    (proposed / "README.md").unlink()
    (proposed / "x.pem").write_text("")
    (proposed / "v1" / "statement.md").unlink()
    (proposed / "v1" / "spec.json").write_bytes(encoded(changed(spec, "/challenge_title", "Other")))
    assert sorted(codes(proposed)) == ["differs_from_spec", "missing_file", "missing_file", "private_name"]


def test_a_risky_network_is_a_warning_and_no_failure(proposed, spec, changed, encoded):
    (proposed / "v1" / "spec.json").write_bytes(encoded(changed(spec, RUN_NETWORK, "enabled")))
    report = check(proposed)
    assert (report.passed_count, report.warning_count) == (1, 1)
    (finding,) = report.results[0].findings
    assert (finding.code, finding.severity, finding.pointer) == ("risky_network", "warning", RUN_NETWORK)
    assert "linux-arm64-cpu" in report.results[0].warnings[0]


def test_an_archive_request_needs_no_bundle(proposed, proposal, changed, gone, encoded):
    archive = changed(changed(proposal, "/request", "archive_challenge"), "/bundle_path", gone)
    archive["archive"] = {"reason": "superseded"}
    (proposed / "agentics.challenge.json").write_bytes(encoded(archive))
    assert codes(proposed) == []


def test_a_bundle_with_its_private_data_in_place_is_checked_as_one_that_runs(bundle, write_tree, run_manifest):
    write_tree(bundle, {"private-benchmark/runs.json": run_manifest})
    (result,) = check(bundle).results
    assert (result.status, [f.code for f in result.findings]) == ("passed", ["private_data"])
    (bundle / "private-benchmark" / "runs.json").unlink()
    assert codes(bundle) == ["missing_file", "private_data"]


def test_the_report_is_json(proposed):
    (proposed / "README.md").unlink()
    text = check(proposed).model_dump_json()
    assert '"checked_count":1' in text
    assert '"code":"missing_file"' in text
