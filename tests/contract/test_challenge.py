"""`spec.json`: every row of its tables, good and bad."""

# ruff: noqa: PLR0917  a table's columns and pytest's fixtures are parameters

import pytest

from agentics.model.bundle.challenge import Challenge
from agentics.policy.bundle.checks import read_challenge, script
from agentics.policy.publish.exposure import may_expose_private, network_risks

PROFILE = "/targets/0/resource_profile"
STAGE = f"{PROFILE}/solution/run"
METRIC = "/metric_schema/metrics/0"


def findings(spec, encoded):
    return {(f.code, f.pointer) for f in read_challenge(encoded(spec)).findings}


def object_paths(value, path=""):
    """Pointers of all keys of all objects."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(value, dict):
            yield f"{path}/{key}"
        yield from object_paths(item, f"{path}/{key}")


@pytest.mark.parametrize("name", ["spec", "piped_spec", "coexecuted_spec", "cuda_spec"])
def test_a_document_in_order_is_accepted(name, request, encoded):
    spec = request.getfixturevalue(name)
    loaded = read_challenge(encoded(spec))
    assert loaded.findings == ()
    assert loaded.value.model_dump(mode="json") == spec


@pytest.mark.parametrize("name", ["spec", "piped_spec", "coexecuted_spec", "cuda_spec"])
def test_every_key_is_mandatory_also_when_it_may_be_null(name, request, changed, gone, encoded):
    spec = request.getfixturevalue(name)
    for pointer in object_paths(spec):
        found = findings(changed(spec, pointer, gone), encoded)
        assert ("missing_key", pointer) in found, pointer


@pytest.mark.parametrize("name", ["spec", "piped_spec", "coexecuted_spec", "cuda_spec"])
def test_an_unknown_key_is_an_error_everywhere_but_in_images(name, request, changed, encoded):
    spec = request.getfixturevalue(name)
    for place in {pointer.rpartition("/")[0] for pointer in object_paths(spec)}:
        found = findings(changed(spec, f"{place}/surprise", 1), encoded)
        assert found == (set() if place.endswith("_image") else {("unknown_key", f"{place}/surprise")})


@pytest.mark.parametrize("name", ["spec", "piped_spec", "coexecuted_spec", "cuda_spec"])
def test_every_value_of_another_type_is_refused_in_its_place(name, request, changed, encoded):
    spec = request.getfixturevalue(name)
    for pointer in object_paths(spec):
        for wrong in ([{}], {"a": []}, 1.5):
            found = findings(changed(spec, pointer, wrong), encoded)
            assert any(at == pointer or at.startswith(f"{pointer}/") for _, at in found), (pointer, wrong)


GOOD = [
    ("/challenge_name", " Sum-TWO\n"),
    ("/challenge_name", "a2c"),
    ("/challenge_name", "a" * 63),
    ("/keywords/0", " with spaces "),
    ("/keywords/0", "入" * 10),
    ("/keywords", ["1", "2", "3", "4", "5", "6"]),
    ("/keywords", ["one"]),
    ("/eligibility/type", "private_shortlist"),
    ("/validation_submission_limit", 1),
    ("/validation_submission_limit", 2**63 - 1),
    ("/official_submission_limit", 1),
    ("/official_submission_limit", 2**63 - 1),
    ("/visibility/leaderboard", "public_after_close"),
    ("/visibility/leaderboard", "hidden"),
    ("/visibility/score_distribution", "public_live"),
    ("/visibility/result_detail", "submitter_live_public_live"),
    ("/visibility/result_detail", "submitter_live_public_after_close"),
    ("/solution_publication", "public"),
    (f"{PROFILE}/name", ".."),
    (f"{PROFILE}/resource_description", "big"),
    (f"{STAGE}/timeout_sec", 2**64 - 1),
    (f"{STAGE}/cpu_limit_millis", 2**32 - 1),
    (f"{STAGE}/network_access", "loopback"),
    (f"{STAGE}/network_access", "enabled"),
    (f"{PROFILE}/solution_image/extra", {"anything": 1}),
    ("/datasets/public_policy", "score_only"),
    ("/datasets/private_benchmark_enabled", False),
    ("/datasets/public_dir", "a/b/c.d_e-f"),
    (f"{METRIC}/name", " score "),
    (f"{METRIC}/unit", "ms"),
    (f"{METRIC}/direction", "minimize"),
    (f"{METRIC}/visibility", "official"),
    (f"{METRIC}/metric_description", "what"),
    ("/metric_schema/ranking/tie_breaker_metric_names", None),
    ("/metric_schema/ranking/tie_breaker_metric_names", ["time", "secret_share"]),
    ("/execution/separated_evaluator/result_file", "out/r.json"),
    ("/execution/separated_evaluator/command", ["/abs/run.py"]),
    ("/execution/separated_evaluator/command", ["sh", "run.sh"]),
    ("/execution/separated_evaluator/command", ["python3", "../x.py", "separated-evaluator/e.py", "other/late.py"]),
    ("/execution/separated_evaluator/command", ["python3", "a//x.py", "separated-evaluator/e.py"]),
    ("/execution/official_runs", None),
]


@pytest.mark.parametrize(("pointer", "value"), GOOD)
def test_what_the_tables_allow_is_accepted(pointer, value, spec, changed, encoded):
    changed_spec = changed(spec, pointer, value)
    if pointer == "/execution/official_runs":
        changed_spec = changed(changed_spec, "/datasets/private_benchmark_enabled", False)
    assert findings(changed_spec, encoded) == set()


BAD = [
    ("/schema_version", 2, "out_of_range"),
    ("/schema_version", 0, "out_of_range"),
    ("/schema_version", True, "wrong_type"),
    ("/schema_version", "1", "wrong_type"),
    ("/challenge_name", "ab", "bad_name"),
    ("/challenge_name", "a" * 64, "bad_name"),
    ("/challenge_name", "-abc", "bad_name"),
    ("/challenge_name", "abc-", "bad_name"),
    ("/challenge_name", "a--b", "bad_name"),
    ("/challenge_name", "a_b", "bad_name"),
    ("/challenge_name", "a b", "bad_name"),
    ("/challenge_name", "äbc", "bad_name"),
    ("/challenge_name", None, "wrong_type"),
    ("/challenge_title", " \u3000\n", "blank"),
    ("/summary/en", "", "blank"),
    ("/summary/zh", "\t", "blank"),
    ("/summary", "text", "wrong_type"),
    ("/keywords", [], "empty_list"),
    ("/keywords", None, "wrong_type"),
    ("/keywords", ["1", "2", "3", "4", "5", "6", "7"], "too_many"),
    ("/keywords/0", " ", "blank"),
    ("/keywords/0", "a" * 31, "too_long"),
    ("/keywords/0", "入" * 11, "too_long"),
    ("/keywords/0", "a\u0007b", "bad_keyword"),
    ("/keywords/0", "a\u0085b", "bad_keyword"),
    ("/keywords/0", 1, "wrong_type"),
    ("/keywords/1", " ARITHMETIC ", "duplicate_name"),
    ("/solution/protocol", "tar_project", "unknown_value"),
    ("/solution/manifest_file", "solution.json", "unknown_value"),
    ("/targets", [], "empty_list"),
    ("/targets", None, "wrong_type"),
    ("/starts_at", None, "wrong_type"),
    ("/eligibility/type", "everyone", "unknown_value"),
    ("/validation_submission_limit", 0, "out_of_range"),
    ("/validation_submission_limit", -1, "out_of_range"),
    ("/validation_submission_limit", 1.0, "wrong_type"),
    ("/validation_submission_limit", None, "validation_limit_missing"),
    ("/official_submission_limit", 0, "out_of_range"),
    ("/official_submission_limit", 2**63, "out_of_range"),
    ("/official_submission_limit", -0.0, "wrong_type"),
    ("/validation_submission_limit", 2**63, "out_of_range"),
    ("/visibility/leaderboard", "public", "unknown_value"),
    ("/visibility/score_distribution", None, "unknown_value"),
    ("/visibility/result_detail", "hidden", "unknown_value"),
    ("/solution_publication", "public_live", "unknown_value"),
    ("/solution_publication", "public_after_close", "never_closes"),
    ("/targets/0/name", "linux arm64", "bad_name"),
    ("/targets/0/docker_platform", "linux/riscv64", "unknown_value"),
    ("/targets/0/accelerator", "cpu", "unknown_value"),
    ("/targets/0/accelerator", "none", "unknown_value"),
    ("/targets/0/validation_enabled", "true", "wrong_type"),
    ("/targets/0/validation_enabled", 1, "wrong_type"),
    (f"{PROFILE}/name", "", "bad_name"),
    (f"{PROFILE}/resource_description", " ", "blank"),
    (f"{PROFILE}/solution/run", None, "run_stage_missing"),
    (f"{PROFILE}/solution/setup", None, "wrong_type"),
    (f"{PROFILE}/evaluator/run", None, "wrong_type"),
    (f"{STAGE}/timeout_sec", 0, "out_of_range"),
    (f"{STAGE}/timeout_sec", -5, "out_of_range"),
    (f"{STAGE}/timeout_sec", 5.0, "wrong_type"),
    (f"{STAGE}/timeout_sec", 2**64, "out_of_range"),
    (f"{STAGE}/memory_limit_mb", 0, "out_of_range"),
    (f"{STAGE}/cpu_limit_millis", 0, "out_of_range"),
    (f"{STAGE}/cpu_limit_millis", 2**32, "out_of_range"),
    (f"{STAGE}/disk_limit_mb", 0, "out_of_range"),
    (f"{STAGE}/network_access", "none", "unknown_value"),
    ("/execution/mode", "separated", "unknown_value"),
    ("/execution/separated_evaluator/command", [], "empty_list"),
    ("/execution/separated_evaluator/command", "python3 e.py", "wrong_type"),
    ("/execution/separated_evaluator/command/0", " ", "blank"),
    ("/execution/separated_evaluator/command/0", "a\0b", "bad_argument"),
    ("/execution/separated_evaluator/command/1", "e.py", "script_misplaced"),
    ("/execution/separated_evaluator/command/1", "./separated-evaluator/e.py", "script_misplaced"),
    ("/execution/separated_evaluator/command/1", "interactive-evaluator/e.py", "script_misplaced"),
    ("/execution/separated_evaluator/command/1", "separated-evaluator\\e.py", "script_misplaced"),
    ("/execution/separated_evaluator/result_file", "/result.json", "bad_path"),
    ("/execution/validation_runs", "", "bad_path"),
    ("/execution/validation_runs", None, "validation_source_missing"),
    ("/execution/official_runs", None, "official_source_missing"),
    ("/datasets/public_dir", None, "wrong_type"),
    ("/datasets/private_benchmark_dir", None, "private_dir_missing"),
    ("/datasets/public_policy", "none", "unknown_value"),
    ("/datasets/private_benchmark_policy", "full", "unknown_value"),
    ("/datasets/private_benchmark_enabled", None, "wrong_type"),
    ("/metric_schema/metrics", [], "empty_list"),
    ("/metric_schema/metrics/2/name", " time", "duplicate_name"),
    (f"{METRIC}/name", "a b", "bad_name"),
    (f"{METRIC}/label", "", "blank"),
    (f"{METRIC}/unit", " ", "blank"),
    (f"{METRIC}/metric_description", "", "blank"),
    (f"{METRIC}/direction", "max", "unknown_value"),
    (f"{METRIC}/visibility", "private", "unknown_value"),
    ("/metric_schema/ranking/primary_metric_name", "speed", "undeclared_metric"),
    ("/metric_schema/ranking/tie_breaker_metric_names", [], "empty_list"),
    ("/metric_schema/ranking/tie_breaker_metric_names/0", "speed", "undeclared_metric"),
    ("/metric_schema/ranking/tie_breaker_metric_names/0", "score", "duplicate_name"),
]


@pytest.mark.parametrize(("pointer", "value", "code"), BAD)
def test_what_the_tables_forbid_is_refused_in_its_place(pointer, value, code, spec, changed, encoded):
    assert findings(changed(spec, pointer, value), encoded) == {(code, pointer)}


RELPATHS_BAD = [
    *("", " ", " a", "a ", "/a", "a/", "/", "a//b", ".", "..", "./a", "a/.", "a/..", "../a", "a/../b", "a/./b"),
    *("a\\b", "a b", "a\tb", "a\nb", "a\n", "a\0", "ä", "a:b", "a*", "~", "a/b\u00a0"),
]


@pytest.mark.parametrize("path", RELPATHS_BAD)
def test_a_path_that_is_not_relative_and_plain_is_refused(path, spec, changed, encoded):
    assert findings(changed(spec, "/datasets/public_dir", path), encoded) == {("bad_path", "/datasets/public_dir")}


@pytest.mark.parametrize("path", ["a", "a/b", "...", ".a", "a.", "..a/b..", "-", "_", "A9/z", "x" * 5000])
def test_a_plain_relative_path_is_accepted(path, spec, changed, encoded):
    assert findings(changed(spec, "/datasets/public_dir", path), encoded) == set()


def setup(mode):
    command = ["python3", f"{mode}/generate.py"]
    extra = {"separated-evaluator": {"result_runs_file": "runs.json"}}
    extra |= {"interactive-evaluator": {"result_session_file": "session.json"}, "coexecuted-evaluator": {}}
    return {"command": command, "reproducibility_notes": None, **extra[mode]}


CASES = [
    ("spec", "separated-evaluator", "validation_runs", "official_runs"),
    ("piped_spec", "interactive-evaluator", "validation_session", "official_session"),
]


@pytest.mark.parametrize(("name", "mode", "validation", "official"), CASES)
def test_a_setup_stands_for_a_static_manifest_and_excludes_it(
    name, mode, validation, official, request, changed, encoded
):
    spec = request.getfixturevalue(name)
    for key, side in ((validation, "validation_setup"), (official, "official_evaluation_setup")):
        both = changed(spec, f"/execution/{side}", setup(mode))
        assert findings(both, encoded) == {("locator_and_setup", f"/execution/{side}")}
        assert findings(changed(both, f"/execution/{key}", None), encoded) == set()


@pytest.mark.parametrize(("name", "mode", "validation", "official"), CASES)
def test_a_source_is_needed_where_a_flag_says_so(name, mode, validation, official, request, changed, encoded):
    spec = request.getfixturevalue(name)
    no_validation = changed(spec, f"/execution/{validation}", None)
    assert findings(no_validation, encoded) == {("validation_source_missing", f"/execution/{validation}")}
    assert findings(changed(no_validation, "/targets/0/validation_enabled", False), encoded) == set()
    no_official = changed(spec, f"/execution/{official}", None)
    assert findings(no_official, encoded) == {("official_source_missing", f"/execution/{official}")}
    assert findings(changed(no_official, "/datasets/private_benchmark_enabled", False), encoded) == set()


def test_with_a_setup_the_private_directory_may_be_null(spec, changed, encoded):
    spec = changed(changed(spec, "/execution/official_runs", None), "/datasets/private_benchmark_dir", None)
    spec = changed(spec, "/execution/official_evaluation_setup", setup("separated-evaluator"))
    assert findings(spec, encoded) == set()


def test_coexecuted_needs_no_sources_and_no_run_stage(coexecuted_spec, changed, encoded):
    assert findings(changed(coexecuted_spec, "/datasets/private_benchmark_dir", None), encoded) == set()
    stage = coexecuted_spec["targets"][0]["resource_profile"]["solution"]["build"]
    pointer = "/targets/0/resource_profile/solution/run"
    assert findings(changed(coexecuted_spec, pointer, stage), encoded) == {("run_stage_unused", pointer)}


@pytest.mark.parametrize(
    ("name", "key"),
    [("piped_spec", "acknowledge_stdio_protocol_framing"), ("coexecuted_spec", "acknowledge_danger")],
)
def test_the_risk_must_be_acknowledged(name, key, request, changed, encoded):
    spec = changed(request.getfixturevalue(name), f"/execution/{key}", False)
    assert findings(spec, encoded) == {("not_acknowledged", f"/execution/{key}")}


@pytest.mark.parametrize("mode", ["separated-evaluator", "interactive-evaluator", "coexecuted-evaluator"])
def test_a_setup_has_exactly_the_keys_of_its_topology(mode, request, changed, gone, encoded):
    name = {"s": "spec", "i": "piped_spec", "c": "coexecuted_spec"}[mode[0]]
    spec = request.getfixturevalue(name)
    for key in ("validation_runs", "validation_session"):
        if key in spec["execution"]:
            spec = changed(spec, f"/execution/{key}", None)
    spec = changed(spec, "/execution/validation_setup", setup(mode))
    assert findings(spec, encoded) == set()
    for key in setup(mode):
        pointer = f"/execution/validation_setup/{key}"
        assert findings(changed(spec, pointer, gone), encoded) == {("missing_key", pointer)}
    pointer = "/execution/validation_setup/reproducibility_notes"
    assert findings(changed(spec, pointer, " "), encoded) == {("blank", pointer)}
    wrong = changed(spec, "/execution/validation_setup/result_session_file", "x")
    wrong = changed(wrong, "/execution/validation_setup/result_runs_file", "x")
    assert len(findings(wrong, encoded)) == {"s": 1, "i": 1, "c": 2}[mode[0]]
    outside = changed(spec, "/execution/validation_setup/command", ["sh", "-c", "x", "tools/generate.py"])
    assert findings(outside, encoded) == {("script_misplaced", "/execution/validation_setup/command/3")}


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (["python3", "a/b.py", "c.py"], "a/b.py"),
        (["/x.py", "b.py"], "b.py"),
        (["x.pyc", "b.PY"], None),
        ([".py"], ".py"),
        (["a/../b.py", "c\\..\\d.py", "a//b.py", "\\x.py"], None),
        (["./b.py"], "./b.py"),
        (["has space/é.py"], "has space/é.py"),
    ],
)
def test_the_script_is_the_first_python_file_below_the_bundle(command, found):
    assert script(command) == found


def test_all_broken_rules_are_reported_together(spec, changed, encoded):
    for pointer, value in (
        ("/keywords/1", "ARITHMETIC"),
        ("/solution_publication", "public_after_close"),
        ("/validation_submission_limit", None),
        ("/execution/separated_evaluator/command/1", "x.py"),
        ("/datasets/private_benchmark_dir", None),
        ("/metric_schema/ranking/primary_metric_name", "none"),
        ("/targets/0/docker_platform", "linux/amd64"),
    ):
        spec = changed(spec, pointer, value)
    assert len({code for code, _ in findings(spec, encoded)}) == 8


@pytest.mark.parametrize(
    ("changes", "exposes"),
    [
        ({}, True),
        ({"/datasets/private_benchmark_enabled": False}, True),
        ({"/datasets/private_benchmark_enabled": False, "/execution/official_runs": "public/o.json"}, False),
        ({"/datasets/private_benchmark_enabled": False, "/execution/official_runs": "publico/o.json"}, True),
        ({"/datasets/private_benchmark_enabled": False, "/execution/official_runs": None}, True),
        ({"/execution/official_runs": "public/o.json"}, True),
    ],
)
def test_what_may_expose_private_material(changes, exposes, spec, changed, encoded):
    for pointer, value in changes.items():
        spec = changed(spec, pointer, value)
    challenge = read_challenge(encoded(spec)).value
    assert may_expose_private(challenge) is exposes


def test_coexecuted_exposes_only_with_private_data_or_a_setup(coexecuted_spec, changed):
    def exposes(spec):
        return may_expose_private(Challenge.model_validate(spec))

    assert exposes(coexecuted_spec)
    public = changed(coexecuted_spec, "/datasets/private_benchmark_enabled", False)
    assert not exposes(public)
    assert exposes(changed(public, "/execution/official_evaluation_setup", setup("coexecuted-evaluator")))


def test_a_network_beside_private_data_is_a_warning_only_where_it_can_carry_it(spec, coexecuted_spec, changed):
    def risks(spec):
        return [p.path for p in network_risks(Challenge.model_validate(spec))]

    run = f"{PROFILE}/solution/run/network_access"
    evaluator = f"{PROFILE}/evaluator/run/network_access"
    assert risks(spec) == []
    assert risks(changed(spec, run, "enabled")) == [tuple(int(p) if p == "0" else p for p in run.split("/")[1:])]
    assert len(risks(changed(spec, run, "loopback"))) == 1
    assert risks(changed(spec, evaluator, "enabled")) == []
    assert len(risks(changed(coexecuted_spec, evaluator, "enabled"))) == 1
    open_data = changed(changed(spec, run, "enabled"), "/datasets/private_benchmark_enabled", False)
    assert risks(changed(open_data, "/execution/official_runs", "public/o.json")) == []
