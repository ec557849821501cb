"""Which targets exist, and which images a bundle may name for them. What an operator runs instead is not known here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from agentics.model.bundle.challenge import DeclaredImage, Hardware, Target
from agentics.model.document.json_text import Path, Problem
from agentics.policy.bundle.references import local_reference, registry_reference

TARGETS = {
    f"linux-{arch}-{kind}": (f"linux/{arch}", "gpu" if kind == "cuda" else None)
    for arch in ("arm64", "amd64")
    for kind in ("cpu", "cuda")
}
CUDA_VERSIONS = {"cu126": "12.6", "cu130": "13.0", "cu132": "13.2"}
CPU_TAG_PREFIX = "ubuntu26.04-"

LOCAL_REPOSITORIES = tuple(f"agentics-{name}" for name in TARGETS)
_GRAMMAR = {
    "local": "a local image is <repository>:<tag>",
    "registry": "a registry image is <registry>/<repository>:<tag>, with @sha256:<digest> or without",
}


def check_targets(targets: Sequence[Target]) -> Iterator[Problem]:
    """Names, platforms, accelerators, hardware and both images of every target."""
    for index, target in enumerate(targets):
        yield from _target(target, ("targets", index))


def _target(target: Target, path: Path) -> Iterator[Problem]:
    if target.name not in TARGETS:
        near = get_close_matches(target.name, TARGETS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"targets: {', '.join(TARGETS)}"
        message = f"there is no target {target.name!r}"
        yield Problem(code="unknown_target", message=message, path=(*path, "name"), hint=hint)
    else:
        platform, accelerator = TARGETS[target.name]
        if target.docker_platform != platform:
            message = f"{target.name} is on {platform}"
            yield Problem(code="target_mismatch", message=message, path=(*path, "docker_platform"))
        if target.accelerator != accelerator:
            message = f"{target.name} has accelerator {'null' if accelerator is None else repr(accelerator)}"
            yield Problem(code="target_mismatch", message=message, path=(*path, "accelerator"))
    profile, below = target.resource_profile, (*path, "resource_profile")
    if target.accelerator == "gpu":
        yield from _gpu(profile.hardware_metadata, (*below, "hardware_metadata"))
    for key, image in (("solution_image", profile.solution_image), ("evaluator_image", profile.evaluator_image)):
        yield from _image(image, target, (*below, key, "reference"))


def _gpu(hardware: Hardware | None, path: Path) -> Iterator[Problem]:
    if hardware is None:
        yield Problem(code="hardware_missing", message="a gpu target needs hardware_metadata", path=path)
        return
    if hardware.kind != "cuda":
        yield Problem(code="hardware_mismatch", message="kind must be 'cuda' on a gpu target", path=(*path, "kind"))
    for key in ("gpu_model", "gpu_count"):
        if getattr(hardware, key) is None:
            yield Problem(code="hardware_missing", message=f"a gpu target needs {key}", path=(*path, key))
    if hardware.cuda_variant not in CUDA_VERSIONS:
        message = f"cuda_variant must be one of {', '.join(CUDA_VERSIONS)}"
        yield Problem(code="hardware_mismatch", message=message, path=(*path, "cuda_variant"))
    elif hardware.cuda_version != CUDA_VERSIONS[hardware.cuda_variant]:
        message = f"{hardware.cuda_variant} is cuda_version {CUDA_VERSIONS[hardware.cuda_variant]!r}"
        yield Problem(code="hardware_mismatch", message=message, path=(*path, "cuda_version"))


def _image(image: DeclaredImage, target: Target, path: Path) -> Iterator[Problem]:
    local = image.source == "local"
    found = local_reference(image.reference, LOCAL_REPOSITORIES) if local else registry_reference(image.reference)
    if isinstance(found, str):
        message = f"not the reference of an image: {found}"
        yield Problem(code="bad_image", message=message, path=path, hint=_GRAMMAR[image.source])
        return
    kind = "cuda" if target.accelerator == "gpu" else "cpu"
    name = f"agentics-{target.docker_platform.replace('/', '-')}-{kind}"
    allowed = name if local else f"ghcr.io/agentic-science/{name}"
    if found.repository not in {name, f"ghcr.io/agentic-science/{name}"}:
        message = f"the repository {found.repository!r:.100} is not allowed here"
        yield Problem(code="image_not_allowed", message=message, path=path, hint=f"it must be {allowed}")
    prefix = _tag_prefix(target)
    if prefix is not None and not found.tag.startswith(prefix):
        message = f"the tag {found.tag!r:.100} must start with {prefix}"
        yield Problem(code="image_not_allowed", message=message, path=path)


def _tag_prefix(target: Target) -> str | None:
    """What the tag starts with; None where the hardware does not say, which is reported there."""
    if target.accelerator is None:
        return CPU_TAG_PREFIX
    hardware = target.resource_profile.hardware_metadata
    variant = hardware.cuda_variant if hardware else None
    return f"{variant}-" if variant in CUDA_VERSIONS else None
