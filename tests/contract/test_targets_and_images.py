"""Targets and images: declared names are checked exactly; what an operator runs instead is not decided here."""

import copy

import pytest

from agentics.policy.bundle.checks import read_challenge

IMAGE = "/targets/0/resource_profile/solution_image"
HARDWARE = "/targets/0/resource_profile/hardware_metadata"
DIGEST = "sha256:" + "a" * 64
GHCR = "ghcr.io/agentic-science/"


def codes(spec, encoded):
    return [(f.code, f.pointer) for f in read_challenge(encoded(spec)).findings]


def retarget(spec, arch, kind):
    """The same document for another architecture."""
    spec = copy.deepcopy(spec)
    target = spec["targets"][0]
    target |= {"name": f"linux-{arch}-{kind}", "docker_platform": f"linux/{arch}"}
    for key in ("solution_image", "evaluator_image"):
        image = target["resource_profile"][key]
        image["reference"] = image["reference"].replace("arm64", arch)
    return spec


@pytest.mark.parametrize("arch", ["arm64", "amd64"])
@pytest.mark.parametrize(("name", "kind"), [("spec", "cpu"), ("cuda_spec", "cuda")])
def test_both_architectures_of_both_kinds_are_legal(name, kind, arch, request, encoded):
    assert codes(retarget(request.getfixturevalue(name), arch, kind), encoded) == []


@pytest.mark.parametrize("target", ["macos-arm64-cpu", "linux-arm64", "linux-arm64-gpu", "LINUX-ARM64-CPU", "x"])
def test_other_targets_are_refused(target, spec, changed, encoded):
    assert codes(changed(spec, "/targets/0/name", target), encoded) == [("unknown_target", "/targets/0/name")]


def test_a_target_must_fit_its_platform_and_accelerator(spec, changed, encoded):
    other = changed(spec, "/targets/0/docker_platform", "linux/amd64")
    assert ("target_mismatch", "/targets/0/docker_platform") in codes(other, encoded)
    other = changed(spec, "/targets/0/name", "linux-arm64-cuda")
    assert ("target_mismatch", "/targets/0/accelerator") in codes(other, encoded)


def test_a_cuda_target_without_accelerator_is_refused(cuda_spec, changed, encoded):
    found = codes(changed(cuda_spec, "/targets/0/accelerator", None), encoded)
    assert ("target_mismatch", "/targets/0/accelerator") in found


def test_target_names_are_unique(spec, encoded):
    spec["targets"].append(copy.deepcopy(spec["targets"][0]))
    assert codes(spec, encoded) == [("duplicate_name", "/targets/1/name")]


@pytest.mark.parametrize(
    ("source", "reference"),
    [
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-v1"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-v1@{DIGEST}"),
        ("local", "agentics-linux-arm64-cpu:ubuntu26.04-dev"),
        ("local", "agentics-linux-arm64-cpu:ubuntu26.04-"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-版本_é\u0301٣Ⅷ‿\u200dⓐ"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-{'é' * 116}@{DIGEST}"),
    ],
)
def test_an_image_that_the_policy_knows_is_accepted(source, reference, spec, changed, encoded):
    assert codes(changed(spec, IMAGE, {"source": source, "reference": reference}), encoded) == []


@pytest.mark.parametrize(
    ("source", "reference", "code"),
    [
        ("local", "agentics-linux-arm64-cpu", "bad_image"),
        ("local", "agentics-linux-arm64-cpu:", "bad_image"),
        ("local", " agentics-linux-arm64-cpu:ubuntu26.04-x", "bad_image"),
        ("local", "agentics-linux-arm64-cpu:ubuntu26.04-x\n", "bad_image"),
        ("local", "agentics-linux-arm64-cpu:ubuntu26.04-a/b", "bad_image"),
        ("local", f"agentics-linux-arm64-cpu:ubuntu26.04-a@{DIGEST}", "bad_image"),
        ("local", "other:ubuntu26.04-x", "bad_image"),
        ("local", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-v1", "bad_image"),
        ("local", "agentics-linux-arm64-cuda:ubuntu26.04-x", "image_not_allowed"),
        ("local", "agentics-linux-amd64-cpu:ubuntu26.04-x", "image_not_allowed"),
        ("local", "agentics-linux-arm64-cpu:ubuntu24.04-x", "image_not_allowed"),
        ("registry", "agentics-linux-arm64-cpu:ubuntu26.04-x", "bad_image"),
        ("registry", "agentic-science/agentics-linux-arm64-cpu:ubuntu26.04-x", "bad_image"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu", "bad_image"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu@{DIGEST}", "bad_image"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-v1@sha512:{'a' * 128}", "bad_image"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-v1@sha256:{'A' * 64}", "bad_image"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-v1@sha256:{'a' * 63}", "bad_image"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-v1 ", "bad_image"),
        ("registry", "ghcr.io/Agentic-Science/agentics-linux-arm64-cpu:ubuntu26.04-v1", "bad_image"),
        ("registry", "", "bad_image"),
        ("local", "agentics-linux-arm64-cpu:ubuntu26.04-é", "bad_image"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-²", "bad_image"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-😀", "bad_image"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:ubuntu26.04-{'é' * 117}", "bad_image"),
        ("registry", "ghcr.io/other/agentics-linux-arm64-cpu:ubuntu26.04-v1", "image_not_allowed"),
        ("registry", "docker.io/agentic-science/agentics-linux-arm64-cpu:ubuntu26.04-v1", "image_not_allowed"),
        ("registry", "localhost/agentics-linux-arm64-cpu:ubuntu26.04-v1", "image_not_allowed"),
        ("registry", "localhost:5000/agentics-linux-arm64-cpu:ubuntu26.04-v1", "image_not_allowed"),
        ("registry", f"{GHCR}agentics-linux-arm64-cuda:ubuntu26.04-v1", "image_not_allowed"),
        ("registry", f"{GHCR}agentics-linux-amd64-cpu:ubuntu26.04-v1", "image_not_allowed"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:latest", "image_not_allowed"),
    ],
)
def test_an_image_that_the_policy_does_not_know_is_refused(source, reference, code, spec, changed, encoded):
    for key in ("solution_image", "evaluator_image"):
        pointer = f"/targets/0/resource_profile/{key}"
        image = {"source": source, "reference": reference}
        assert codes(changed(spec, pointer, image), encoded) == [(code, f"{pointer}/reference")]


@pytest.mark.parametrize(
    ("source", "reference", "part"),
    [
        ("local", "agentics-linux-arm64-cpu", "no tag"),
        ("local", "agentics-linux-arm64-cpu:", "the tag is empty"),
        ("local", "agentics-linux-arm64-cpu:a/b", "the tag has the character '/'"),
        ("local", "other:ubuntu26.04-x", "the repository 'other'"),
        ("registry", "agentic-science/agentics-linux-arm64-cpu:x", "names no registry"),
        ("registry", "gh_cr.io/x:y", "the registry 'gh_cr.io'"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu", "no tag"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:", "the tag has 0 characters"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:-x", "the tag starts with '-'"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:a b", "the tag has the character ' '"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:x@sha256:abc", "the digest"),
        ("registry", "ghcr.io/Agentic-Science/x:y", "the part 'Agentic-Science' of the repository"),
        ("registry", "ghcr.io//x:y", "the part '' of the repository"),
        ("registry", "ghcr.io/other/x:ubuntu26.04-y", "the repository 'ghcr.io/other/x' is not allowed"),
        ("registry", f"{GHCR}agentics-linux-arm64-cpu:v1", "the tag 'v1' must start with ubuntu26.04-"),
    ],
)
def test_the_part_of_an_image_that_is_wrong_is_told(source, reference, part, spec, changed, encoded):
    document = changed(spec, IMAGE, {"source": source, "reference": reference})
    assert part in read_challenge(encoded(document)).findings[0].message


@pytest.mark.parametrize("extra", ['"\\ud800"', "1e999", "[" * 200 + "]" * 200])
def test_extra_keys_of_an_image_are_ignored_but_read(extra, spec, encoded):
    text = encoded(spec).decode().replace('"source": "registry"', '"source": "registry", "x": ' + extra)
    assert read_challenge(text.encode()).value is None


def test_the_kind_of_an_image_must_be_known(spec, changed, gone, encoded):
    assert codes(changed(spec, f"{IMAGE}/source", "ghcr"), encoded) == [("unknown_value", f"{IMAGE}/source")]
    assert codes(changed(spec, f"{IMAGE}/source", gone), encoded) == [("missing_key", f"{IMAGE}/source")]
    assert codes(changed(spec, f"{IMAGE}/source", 1), encoded)[0][1] == f"{IMAGE}/source"
    assert codes(changed(spec, IMAGE, "x"), encoded) == [("wrong_type", IMAGE)]


def test_a_repeated_unknown_key_of_an_image_is_ignored_and_a_known_one_is_not(spec, encoded):
    text = encoded(spec).decode()
    ignored = text.replace('"source": "registry"', '"source": "registry", "x": 1, "x": 2')
    assert read_challenge(ignored.encode()).findings == ()
    repeated = text.replace('"source": "registry"', '"source": "registry", "source": "registry"')
    assert {f.code for f in read_challenge(repeated.encode()).findings} == {"duplicate_key"}


@pytest.mark.parametrize(
    ("pointer", "value", "code"),
    [
        (HARDWARE, None, "hardware_missing"),
        (f"{HARDWARE}/kind", "cpu", "hardware_mismatch"),
        (f"{HARDWARE}/kind", " ", "blank"),
        (f"{HARDWARE}/gpu_model", None, "hardware_missing"),
        (f"{HARDWARE}/gpu_model", " ", "blank"),
        (f"{HARDWARE}/gpu_count", None, "hardware_missing"),
        (f"{HARDWARE}/gpu_count", 0, "out_of_range"),
        (f"{HARDWARE}/gpu_memory_gb", 0, "out_of_range"),
        (f"{HARDWARE}/cuda_variant", None, "hardware_mismatch"),
        (f"{HARDWARE}/cuda_variant", "cu118", "hardware_mismatch"),
        (f"{HARDWARE}/cuda_version", "12.6", "hardware_mismatch"),
        (f"{HARDWARE}/cuda_version", None, "hardware_mismatch"),
        (f"{HARDWARE}/driver_minimum", "", "blank"),
    ],
)
def test_a_gpu_target_says_what_it_needs(pointer, value, code, cuda_spec, changed, encoded):
    assert codes(changed(cuda_spec, pointer, value), encoded) == [(code, pointer)]


@pytest.mark.parametrize(("variant", "version"), [("cu126", "12.6"), ("cu130", "13.0"), ("cu132", "13.2")])
def test_the_tag_of_a_cuda_image_starts_with_its_variant(variant, version, cuda_spec, changed, encoded):
    spec = changed(changed(cuda_spec, f"{HARDWARE}/cuda_variant", variant), f"{HARDWARE}/cuda_version", version)
    for key in ("solution_image", "evaluator_image"):
        reference = f"{GHCR}agentics-linux-arm64-cuda:{variant}-v7"
        spec = changed(spec, f"/targets/0/resource_profile/{key}/reference", reference)
    assert codes(spec, encoded) == []
    wrong = changed(spec, f"{IMAGE}/reference", f"{GHCR}agentics-linux-arm64-cuda:ubuntu26.04-v7")
    assert codes(wrong, encoded) == [("image_not_allowed", f"{IMAGE}/reference")]


def test_a_cpu_target_may_describe_its_hardware(spec, changed, encoded):
    keys = ("gpu_model", "gpu_count", "gpu_memory_gb", "cuda_variant", "cuda_version", "driver_minimum")
    assert codes(changed(spec, HARDWARE, {"kind": "cpu", **dict.fromkeys(keys)}), encoded) == []
    assert codes(changed(spec, HARDWARE, {"kind": "cpu"}), encoded) == [
        ("missing_key", f"{HARDWARE}/{k}") for k in keys
    ]
