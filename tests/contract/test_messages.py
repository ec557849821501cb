"""What findings say: where, which key, what is wrong with the value, and what to do."""

import io
import json

import pytest
from rich.console import Console

from agentics.archive import read_solution
from agentics.bundle import assemble, check, load_challenge
from agentics.cli import main
from agentics.errors import InvalidDocument
from agentics.model.bundle.proposal import Proposal
from agentics.model.bundle.solution import SolutionManifest
from agentics.model.document.finding import shown_pointer
from agentics.model.document.parsing import load
from agentics.policy.bundle.checks import read_challenge
from agentics.policy.bundle.manifests import check_run_manifest, check_session_manifest
from agentics.policy.bundle.proposals import read_proposal


def findings(path):
    (result,) = check(path).results
    return result.findings


@pytest.mark.parametrize(
    ("gone", "file", "pointer", "says"),
    [
        ("README.md", "agentics.challenge.json", "/readme_path", "readme_path names README.md"),
        ("v1", "agentics.challenge.json", "/bundle_path", "bundle_path names v1, which does not exist"),
        ("v1/spec.json", "agentics.challenge.json", "/bundle_path", "bundle_path names v1, which has no spec.json"),
        ("v1/public/runs.json", "v1/spec.json", "/execution/validation_runs", "validation_runs names public/runs.json"),
        ("v1/public/c.bin", "v1/public/runs.json", "/runs/1/input_files/2/source_path", "source_path names public/c."),
        (
            "v1/separated-evaluator/e.py",
            "v1/spec.json",
            "/execution/separated_evaluator/command/1",
            "command names separated-evaluator/e.py, which does not exist",
        ),
    ],
)
def test_a_missing_file_is_told_where_it_is_named_and_by_which_key(gone, file, pointer, says, proposed, tmp_path):
    (proposed / gone).rename(tmp_path / "elsewhere")
    (found,) = findings(proposed)
    assert (found.file, found.pointer) == (str(proposed / file), pointer)
    line = (proposed / file).read_text().splitlines()[found.line - 1]
    assert json.dumps((proposed / gone).name)[1:-1] in line or "bundle_path" in line
    assert says in found.message
    assert found.hint


@pytest.mark.parametrize("kind", ["symlink", "directory"])
def test_what_is_there_but_no_file_is_told_by_what_it_is(kind, proposed):
    runs = proposed / "v1" / "public" / "runs.json"
    runs.unlink()
    runs.mkdir() if kind == "directory" else runs.symlink_to("c.bin")
    assert [f.message for f in findings(proposed) if f.pointer] == [
        f"validation_runs names public/runs.json, which is a {kind}, not a file"
    ]


def test_a_missing_public_directory_is_told_where_it_is_named(proposed, spec, changed, encoded):
    (proposed / "v1" / "spec.json").write_bytes(encoded(changed(spec, "/datasets/public_dir", "open-data")))
    (found,) = findings(proposed)
    assert (found.code, found.pointer) == ("missing_directory", "/datasets/public_dir")
    assert found.message == "public_dir names open-data, which does not exist"


def test_a_missing_script_of_a_solution_is_told_where_it_is_named(tmp_path, solution, changed, write_tree):
    root = write_tree(tmp_path, {"agentics.solution.json": changed(solution, "/commands/build", "make.sh")})
    with pytest.raises(InvalidDocument) as caught:
        read_solution(root)
    places = [(f.code, f.file, f.line, f.pointer) for f in caught.value.findings]
    assert places == [
        ("missing_file", "agentics.solution.json", 5, "/commands/run"),
        ("missing_file", "agentics.solution.json", 6, "/commands/build"),
    ]


def test_an_asset_that_is_missing_is_told_where_it_is_announced(proposed, write_tree, tmp_path):
    loaded = load_challenge(proposed)
    incomplete = write_tree(tmp_path / "official-cases", {"private-benchmark/other.json": "{}"})
    for overlays, pointer in (([], "/private_assets/0"), ([incomplete], "/private_assets/0/required_paths")):
        with pytest.raises(InvalidDocument) as caught:
            assemble(loaded, overlays, tmp_path / "dest", "official")
        (found,) = caught.value.findings
        assert (found.code, found.pointer, found.line > 1) == ("private_asset", pointer, True)
        assert found.hint


def test_findings_of_all_documents_come_in_one_go(proposed, proposal, spec, run_manifest, changed, encoded):
    broken = changed(changed(proposal, "/title", 5), "/privat_assets", [])
    (proposed / "agentics.challenge.json").write_bytes(encoded(broken))
    spec = changed(changed(spec, "/execution/validation_setup", {}), "/keywords", [])
    del spec["execution"]["validation_setup"]
    spec["execution"]["official_runs"] = "/private"
    spec["execution"]["separated_evaluator"]["command"] = []
    spec["datasets"]["public_policy"] = "some"
    spec["targets"][0]["resource_profile"]["solution"]["setup"]["timeout_sec"] = "10"
    (proposed / "v1" / "spec.json").write_bytes(encoded(spec))
    runs = changed(changed(run_manifest, "/runs/0/interface", "stdoi"), "/runs/1/run_name", "a b")
    (proposed / "v1" / "public" / "runs.json").write_bytes(encoded(runs))
    (proposed / "v1" / "statement.md").unlink()
    (proposed / "README.md").unlink()
    names = [f.file.removeprefix(f"{proposed}/") + f.pointer for f in findings(proposed)]
    assert sorted(names) == [
        "agentics.challenge.json/privat_assets",
        "agentics.challenge.json/readme_path",
        "agentics.challenge.json/title",
        "v1/public/runs.json/runs/0/interface",
        "v1/public/runs.json/runs/1/run_name",
        "v1/spec.json/datasets/public_policy",
        "v1/spec.json/execution/official_runs",
        "v1/spec.json/execution/separated_evaluator/command",
        "v1/spec.json/execution/validation_setup",
        "v1/spec.json/keywords",
        "v1/spec.json/targets/0/resource_profile/solution/setup/timeout_sec",
        "v1/statement.md",
    ]


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 1}', "\ufeff{}"])
def test_a_proposal_that_cannot_be_read_hides_nothing_of_its_bundle(text, proposed, spec, changed, encoded):
    (proposed / "agentics.challenge.json").write_text(text)
    (proposed / "v1" / "spec.json").write_bytes(encoded(changed(spec, "/keywords", [])))
    found = [f.pointer for f in findings(proposed) if f.file == str(proposed / "v1" / "spec.json")]
    assert found == ["/keywords"]


def test_a_key_with_a_wrong_name_is_one_finding(solution, proposal, encoded):
    text = encoded(solution).replace(b'"run"', b'"RUN"').replace(b'"protocol_version"', b'"v"')
    found = load(SolutionManifest, text, "s").findings
    assert [(f.code, f.pointer, f.hint) for f in found] == [
        ("missing_key", "/protocol_version", None),
        ("unknown_key", "/v", "known keys: commands, note, protocol, protocol_version"),
        ("unknown_key", "/commands/RUN", "did you mean 'run'?"),
    ]
    beside = encoded(solution).replace(b'"run"', b'"rum": "x", "run"')
    assert load(SolutionManifest, beside, "s").findings[0].hint == "known keys: build, run, setup"
    found = read_proposal(encoded(proposal).replace(b'"bundle_path"', b'"bundle-path"')).findings
    assert [(f.code, f.pointer) for f in found] == [("unknown_key", "/bundle-path")]


@pytest.mark.parametrize("value", [2, 0, -1, 1.0, "1", True, None, -0.0, 2**64])
def test_a_version_must_be_1(value, spec, proposal, solution, changed, encoded):
    for loaded in (
        read_challenge(encoded(changed(spec, "/schema_version", value))),
        load(Proposal, encoded(changed(proposal, "/schema_version", value)), "p"),
        load(SolutionManifest, encoded(changed(solution, "/protocol_version", value)), "s"),
    ):
        assert [f.message for f in loaded.findings] == ["must be 1"]


def test_an_empty_list_that_may_be_null_says_so(run_manifest, session_manifest, spec, changed, encoded):
    for key in ("input_files", "output_files"):
        (found,) = check_run_manifest(encoded(changed(run_manifest, f"/runs/0/{key}", [])), "r").findings
        assert found.hint == f'write "{key}": null if there is none'
    (found,) = check_session_manifest(encoded(changed(session_manifest, "/input_files", [])), "s").findings
    assert (found.code, found.message) == ("empty_list", "must be null or have an entry")
    pointer = "/metric_schema/ranking/tie_breaker_metric_names"
    (found,) = read_challenge(encoded(changed(spec, pointer, []))).findings
    assert "null" in found.hint
    (found,) = read_challenge(encoded(changed(spec, "/keywords", []))).findings
    assert (found.message, found.hint) == ("the list must not be empty", None)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "it is empty"),
        ("/a", "it starts with '/'"),
        ("a/", "it ends with '/'"),
        ("a//b", "it has '//'"),
        ("a/../b", "it has the component '..'"),
        ("./a", "it has the component '.'"),
        ("a b", "it has the character ' '"),
        ("a\\b", "it has the character '\\\\'"),
        ("dé/x", "it has the character 'é'"),
        ("a\n", "it has the character '\\n'"),
        ("a\u200b", "it has the character '\\u200b'"),
    ],
)
def test_a_bad_path_says_which_character_or_part(path, says, solution, changed, encoded):
    (found,) = load(SolutionManifest, encoded(changed(solution, "/commands/run", path)), "s").findings
    assert found.message == f"not a relative path: {says}"
    assert "A-Z" in found.hint


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ab", "its length is 2"),
        ("a" * 64, "its length is 64"),
        ("a_b", "it has the character '_'"),
        ("summe-zählen", "it has the character 'ä'"),
        ("a--b", "it has '--'"),
        ("-ab", "it starts with '-'"),
        ("ab-", "it ends with '-'"),
    ],
)
def test_a_bad_name_says_which_character_or_part(name, says, spec, changed, encoded):
    found = read_challenge(encoded(changed(spec, "/challenge_name", name))).findings
    assert [f.message for f in found] == [f"not a challenge name: {says}"]


def test_integers_that_are_none_say_why(spec, changed, encoded):
    pointer = "/targets/0/resource_profile/evaluator/run/timeout_sec"
    assert "found a number" in read_challenge(encoded(changed(spec, "/starts_at", 10**30))).findings[0].message
    says = {2**64: "beyond the integers of 64 bits", 1.5: "a number with a fraction or exponent", -0.0: "found -0"}
    for value, message in says.items():
        (found,) = read_challenge(encoded(changed(spec, pointer, value))).findings
        assert message in found.message


def test_a_pointer_is_shown_with_at_most_60_characters():
    assert shown_pointer("/runs/0/" + "k" * 52) == "/runs/0/" + "k" * 52
    long = shown_pointer("/runs/0/metadata/" + "k" * 500 + "/end")
    assert len(long) == 60
    assert long.startswith("/runs/0/metadata/kkk")
    assert long.endswith("kkk/end")
    assert "…" in long


def said(proposed, monkeypatch, **console):
    """What `agentics challenge check` says on a stderr of this kind."""
    out = io.StringIO()
    monkeypatch.setattr("agentics.cli.findings.err", Console(file=out, soft_wrap=True, color_system=None, **console))
    with pytest.raises(SystemExit):
        main(["challenge", "check", str(proposed)])
    return out.getvalue().splitlines()


def test_findings_are_one_line_each_for_programs_and_fit_a_terminal(proposed, run_manifest, encoded, monkeypatch):
    key = "a-very-long-key-" * 8
    run_manifest["runs"][0]["metadata"] = {"deep": 1, "stdin_text": {}}
    run_manifest["runs"][1][key] = 1
    (proposed / "v1" / "public" / "runs.json").write_bytes(encoded(run_manifest))
    lines = said(proposed, monkeypatch)
    assert len([line for line in lines if not line.startswith("    hint:")]) == 2
    assert f" unknown_key {shown_pointer('/runs/1/' + key)} the key " in lines[1]
    lines = said(proposed, monkeypatch, force_terminal=True, width=80)
    place = str(proposed / "v1" / "public" / "runs.json")
    assert all(len(line) <= 80 for line in lines if place not in line)
    assert len(lines) > 5
