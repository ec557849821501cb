"""Which targets exist, and which images a bundle may name for them. What an operator runs instead is not known here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from agentics.model.challenge import Hardware, Image, Target
from agentics.model.jsontext import Path, Problem

TARGETS = {
    f"linux-{arch}-{kind}": (f"linux/{arch}", "gpu" if kind == "cuda" else None)
    for arch in ("arm64", "amd64")
    for kind in ("cpu", "cuda")
}
CUDA_VERSIONS = {"cu126": "12.6", "cu130": "13.0", "cu132": "13.2"}
CPU_TAG_PREFIX = "ubuntu26.04-"

_LOCAL = re.compile(r"(?P<repository>agentics-linux-(?:arm64|amd64)-(?:cpu|cuda)):(?P<tag>[A-Za-z0-9_.-]+)")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = re.compile(
    rf"(?P<repository>(?P<host>{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?)/{_COMPONENT}(?:/{_COMPONENT})*)"
    r":(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})(?:@sha256:(?P<digest>[0-9a-f]{64}))?"
)


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


def _image(image: Image, target: Target, path: Path) -> Iterator[Problem]:
    found = (_LOCAL if image.source == "local" else _REGISTRY).fullmatch(image.reference)
    if found is None or (image.source == "registry" and not _names_registry(found["host"])):
        yield Problem(code="bad_image", message=_grammar(image), path=path)
        return
    kind = "cuda" if target.accelerator == "gpu" else "cpu"
    name = f"agentics-{target.docker_platform.replace('/', '-')}-{kind}"
    allowed = (name, f"ghcr.io/agentic-science/{name}")
    if found["repository"] not in allowed:
        message = f"the repository must be {' or '.join(allowed)}"
        yield Problem(code="image_not_allowed", message=message, path=path)
    prefix = _tag_prefix(target)
    if prefix is not None and not found["tag"].startswith(prefix):
        yield Problem(code="image_not_allowed", message=f"the tag must start with {prefix}", path=path)


def _names_registry(host: str) -> bool:
    return "." in host or ":" in host or host == "localhost"


def _grammar(image: Image) -> str:
    if image.source == "local":
        return "not agentics-linux-<arch>-<cpu or cuda>:<tag>, which is what a local image is called"
    if re.search(r"@(?!sha256:[0-9a-f]{64}$)", image.reference):
        return "the digest must be sha256: and 64 lower-case hexadecimal digits"
    return "not <registry>/<repository>:<tag>, with @sha256:<digest> or without"


def _tag_prefix(target: Target) -> str | None:
    """What the tag starts with; None where the hardware does not say, which is reported there."""
    if target.accelerator is None:
        return CPU_TAG_PREFIX
    hardware = target.resource_profile.hardware_metadata
    variant = hardware.cuda_variant if hardware else None
    return f"{variant}-" if variant in CUDA_VERSIONS else None
