"""The base of what we write ourselves, and the words that every record shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt

Fault = Literal["participant", "challenge", "infrastructure", "user"]
Status = Literal["passed", "degraded", "failed", "error", "no_samples", "skipped", "pending"]
Mode = Literal["validation", "official"]
Trust = Literal["isolated", "own_kernel", "shared_container", "model_worker"]
"""own_kernel: isolated, and no participant code ran on the engine's kernel. model_worker: the model, its plugins and
the metrics share one process, whose owner is the operator."""


class Reference(str):
    """A text that a model knows to be the name of an artifact; everywhere else the same text is only quoted."""

    __slots__ = ()


ArtifactRef = Annotated[str, Field(pattern=r"^artifact://sha256/[0-9a-f]{64}$"), AfterValidator(Reference)]


def if_artifact(text: str) -> str:
    """A text that names an artifact where its scheme says so, and is somebody else's reference where not."""
    return Reference(text) if text.startswith("artifact:") else text


def references(value: object) -> Iterator[Reference]:
    """Those in a model that was validated, and in all that it holds, in its order."""
    match value:
        case Reference():
            yield value
        case BaseModel():
            yield from references(dict(value))
        case Mapping():
            for each in value.values():
                yield from references(each)
        case tuple() | list():
            for each in value:
                yield from references(each)
        case _:
            return


class Record(BaseModel):
    """Frozen and closed: a key that the model does not know is a damaged file."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Ids(Record):
    """Which trial a record belongs to. `task_id` is the full task reference, `variant_id` the variant's name."""

    model_config = ConfigDict(strict=True)  # adapters write these, and "0" is no number

    run_id: str
    trial_id: str
    variant_id: str
    task_id: str
    repl_idx: NonNegativeInt
