"""Run manifests (`separated_evaluator`) and session manifests (`piped_stdio`): what one evaluation is made of.

What a manifest names must exist below its root; that is checked by whoever reads files.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, WithJsonSchema, model_validator

from agentics.model.document.size_caps import MANIFEST, Cap
from agentics.model.document.strict_types import Document, NonEmpty, RelPath, RunName, SparseDocument, refuse

MAX_RUNS = 100
RESERVED_RUN_NAME = "agentics-runs.json"
SOURCES = ("source_path", "content", "content_json")
RUN_KEYS = frozenset({"run_name", "interface", "stdin_json", "stdin_text", "input_files", "output_files", "metadata"})


def _given(*keys: str) -> dict[str, JsonValue]:
    """The part of a schema that says: these keys are there and not null."""
    return {"required": [*keys], "properties": {key: {"not": {"type": "null"}} for key in keys}}


# Sparse: evaluators test which source is there, so the others are not written, not even as null.
class InputFile(SparseDocument):
    """A file that is laid out before the run, from exactly one source."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_given(key) for key in SOURCES]})

    path: RelPath
    source_path: RelPath | None = None
    content: str | None = None
    content_json: JsonValue = None

    @model_validator(mode="after")
    def _exactly_one_source(self) -> Self:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if not given:
            refuse("no_source", "one of source_path, content and content_json must not be null", key="path")
        if len(given) > 1:
            refuse("two_sources", f"only one of {' and '.join(given)} may be given", key=given[1])
        return self


def _no_run_keys(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The evaluator sees metadata a second time, flattened into the run."""
    for key in metadata:
        if key in RUN_KEYS:
            refuse("reserved_key", f"metadata must not use {key!r}, which is a key of the run itself", key=key)
    return metadata


RunMetadata = Annotated[
    dict[str, JsonValue],
    AfterValidator(_no_run_keys),
    WithJsonSchema({"type": "object", "propertyNames": {"not": {"enum": sorted(RUN_KEYS)}}}),
]
InputFiles = NonEmpty[InputFile]


class RunEntry(Document):
    """One case. JSON null is "absent" everywhere, so a literal null as stdin cannot be said."""

    model_config = ConfigDict(json_schema_extra={"not": _given("stdin_json", "stdin_text")})

    run_name: RunName
    interface: Literal["stdio", "file_system"]
    stdin_json: JsonValue
    stdin_text: str | None
    input_files: InputFiles | None
    output_files: NonEmpty[RelPath] | None
    metadata: RunMetadata | None

    @model_validator(mode="after")
    def _one_stdin(self) -> Self:
        if self.stdin_json is not None and self.stdin_text is not None:
            refuse("two_stdins", "stdin_json and stdin_text must not both be given", key="stdin_text")
        return self


Runs = Annotated[NonEmpty[RunEntry], Field(max_length=MAX_RUNS)]


class RunManifest(Document):
    cap: ClassVar[Cap] = MANIFEST
    runs: Runs


class SessionManifest(Document):
    """There is one session in an evaluation; several cases in it are the challenge's own business."""

    cap: ClassVar[Cap] = MANIFEST
    session_name: RunName
    input_files: InputFiles | None
    metadata: dict[str, JsonValue] | None
