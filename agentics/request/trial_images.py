"""Which images a trial will use on this machine, or why this machine cannot serve its target."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from agentics.config import Config, Resolution, relaxed, resolve
from agentics.errors import EngineError
from agentics.model.evidence.trial_evidence import ImageUse
from agentics.model.plan.trial_plan import ANY_PLATFORM, ImageNeed, Plan, Side
from agentics.pipeline.attempt_tools import ReadyImage, Users
from agentics.sandbox.engine import Engine, EngineFacts, Image
from agentics.sandbox.images import Definition, defines, definitions, has_to_be_built

ReadyImages = dict[Side, ReadyImage]


def used(plan: Plan, config: Config, overrides: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """What the images that the plan declares become on this machine. A worker that is a process needs none."""
    if plan.worker is not None and config.lighteval.is_local:
        return ()
    return tuple(resolve(config, plan.target, need.declared, overrides).used for need in plan.images.values())


def ready(plan: Plan, config: Config, engine: Engine, overrides: tuple[tuple[str, str], ...]) -> ReadyImages:
    """Raises EngineError (image_missing) when an image that should be here is not. A worker that is a process of this
    machine needs none."""
    if plan.worker is not None and config.lighteval.is_local:
        return {}
    resolutions = {side: resolve(config, plan.target, need.declared, overrides) for side, need in plan.images.items()}
    return {side: _one(plan.images[side], found, config, engine) for side, found in resolutions.items()}


def unservable(plan: Plan, config: Config, facts: EngineFacts, overrides: tuple[tuple[str, str], ...]) -> str | None:
    """Why this machine cannot serve the plan's target, or None. Not a fault: another machine may serve it."""
    resolutions = [resolve(config, plan.target, need.declared, overrides) for need in plan.images.values()]
    if plan.worker is not None:
        return None
    if plan.facts.one_container and facts.rootless:
        return "a rootless engine has no second user to keep the solution apart from its evaluator"
    if plan.accelerator == "gpu" and not facts.gpus:
        return f"{plan.target} needs a GPU, and this engine offers none"
    host = _architecture(facts.host_platform)
    for need, found in zip(plan.images.values(), resolutions, strict=True):
        wanted = found.platform or need.platform
        if not found.mapped and _architecture(wanted) != host:
            return (
                f"{need.declared} is for {wanted}, this engine runs {facts.host_platform}, "
                "and agentics.toml maps it to no local image"
            )
    return None


def users_of(images: ReadyImages, users: Users) -> Users:
    """Who owns what is laid out for containers: root, where the operator lets their image run as root."""
    as_root = {side: "root_user" in image.relaxed for side, image in images.items()}
    return replace(
        users,
        solution=0 if as_root["solution"] else users.solution,
        evaluator=0 if as_root["evaluator"] else users.evaluator,
    )


def without_root(images: ReadyImages) -> ReadyImages:
    """The images of a coexecuted evaluation: its supervisor keeps two users apart, so neither of them is root."""
    return {side: replace(image, relaxed=image.relaxed - {"root_user"}) for side, image in images.items()}


def unbuilt(names: Iterable[str], engine: Engine) -> list[Definition]:
    """Those of these images that a run makes before it uses them."""
    store, known = engine.image_store(), _shipped()
    found = {name: definition for name in names if (definition := defines(name, known)) is not None}
    return [definition for name, definition in found.items() if has_to_be_built(store, name, definition)]


@cache
def _shipped() -> dict[str, Definition]:
    return definitions()


def _one(need: ImageNeed, found: Resolution, config: Config, engine: Engine) -> ReadyImage:
    wanted = found.platform if found.mapped else need.platform
    definition = defines(found.used, _shipped())
    if definition is not None and engine.image_store().image(found.used) is None:
        # No registry is asked for it: what a stranger keeps there under our name is not ours.
        msg = f"image {found.used} is not built"
        hint = f"agentics images build {definition.name}"
        raise EngineError(msg, code="image_missing", hint=hint, retryable=False)
    image = engine.image(found.used, None if wanted == ANY_PLATFORM else wanted)
    use = ImageUse(
        declared=need.declared,
        declared_platform=need.platform,
        used=found.used,
        id=image.id,
        digest=image.digest,
        platform=image.platform,
        substituted=_substituted(need, found, image),
    )
    return ReadyImage(use=use, relaxed=frozenset(relaxed(config, need.declared, found.used)))


def _substituted(need: ImageNeed, found: Resolution, image: Image) -> bool:
    if need.platform == ANY_PLATFORM:
        return found.used != need.declared
    return found.used != need.declared or _architecture(image.platform) != _architecture(need.platform)


def _architecture(platform: str) -> str:
    name = platform.rpartition("/")[2]
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(name, name)
