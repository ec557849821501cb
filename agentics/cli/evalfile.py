"""`--config FILE|NAME`: the options of `agentics eval` as a TOML file. What the command line says wins."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from agentics.errors import ConfigError
from agentics.model.document.record import Record
from agentics.paths import checked

_PATHS = ("bundles", "solutions", "overlays", "output_path")


_List = Annotated[list[str], Field(min_length=1)]


class EvalFile(Record):
    """Every option of `agentics eval` under its own name. Paths are relative to the file. A list that is there is not
    empty: an empty one would mean everything."""

    bundles: _List = Field(default_factory=list)
    solutions: _List = Field(default_factory=list)
    overlays: _List = Field(default_factory=list)
    tasks: _List = Field(default_factory=list)
    images: _List = Field(default_factory=list)
    target: str | None = None
    mode: Literal["validation", "official"] | None = None
    limit: int | None = Field(default=None, ge=0)
    run_id: str | None = None
    output_path: str | None = None
    exit_policy: Literal["relaxed", "smoke", "strict"] | None = None
    jobs: int | None = Field(default=None, ge=1)
    fail_fast: bool | None = None
    no_resume: bool | None = None
    fresh_setup: bool | None = None


def with_file(reference: str | None, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options given, over those of the file. Raises ConfigError."""
    if reference is None:
        return given
    path = _find(reference)
    try:
        read = EvalFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")), strict=True)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error
    except ValidationError as error:
        raise _wrong(path, error) from error
    filed = {key: _placed(path, key, value) for key, value in read.model_dump().items()}
    return {key: value if value not in (None, []) else filed.get(key) for key, value in given.items()}


def _find(reference: str) -> Path:
    """A path as written, or a name below configs/ here or in the user's configuration. Two matches are an error."""
    if Path(reference).is_file():
        return Path(reference)
    user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "agentics"
    places = [Path("configs"), checked(user / "configs", "the configuration below XDG_CONFIG_HOME or HOME", "name")]
    found = [path for place in places for path in sorted(place.rglob(f"{reference}.toml"))]
    if len(found) == 1:
        return found[0]
    if found:
        msg = f"--config {reference!r} is ambiguous: {', '.join(map(str, found))}"
        raise ConfigError(msg, hint="give the path")
    msg = f"no file and no configuration is called {reference!r}"
    raise ConfigError(msg, hint=f"names are looked for as NAME.toml below {' and '.join(map(str, places))}")


def _placed(file: Path, key: str, value: Any) -> Any:  # noqa: ANN401 - any option's value
    if key not in _PATHS or value is None:
        return value
    if isinstance(value, str):
        return _place(file.parent, value, f"{file}: {key}")
    return [_place(file.parent, text, f"{file}: {key}.{index}") for index, text in enumerate(value)]


def _place(folder: Path, text: str, role: str) -> str:
    """The text with its path below the folder. Raises UsageError (bad_path)."""
    name, equals, path = text.partition("=")
    if not (path if equals else text):
        checked("", role)
    placed = checked(folder / (path if equals else text), role)
    return f"{name}={placed}" if equals else str(placed)


def _wrong(path: Path, error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    key = str(first["loc"][0])
    near = difflib.get_close_matches(key, list(EvalFile.model_fields), 1)
    hint = f"did you mean {near[0]!r}?" if first["type"] == "extra_forbidden" and near else None
    return ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}", hint=hint)
