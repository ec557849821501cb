"""The templates by which judges are asked: those that are shipped, and those in the operator's folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from agentics.archive.documents import read_document
from agentics.errors import ConfigError
from agentics.model.document.parsing import parse
from agentics.model.job.judge_template import JudgeTemplate

_SUFFIX = ".json"


def judge_templates(folders: Iterable[Path] = ()) -> Mapping[str, JudgeTemplate]:
    """By id. Raises InvalidDocument for a file that is none, and ConfigError for an id that is there twice."""
    shipped = resources.files("agentics.lighteval").joinpath("templates")
    files = [(item.name, item.read_bytes()) for item in shipped.iterdir() if item.name.endswith(_SUFFIX)]
    for folder in folders:
        files += [(str(path), read_document(path, JudgeTemplate)) for path in sorted(folder.glob(f"*{_SUFFIX}"))]
    found: dict[str, JudgeTemplate] = {}
    for name, data in files:
        template = parse(JudgeTemplate, data, name)
        if template.id in found:
            msg = f"{name}: there is another judge template {template.id!r}"
            raise ConfigError(msg, hint="give it an id of its own")
        found[template.id] = template
    return found
