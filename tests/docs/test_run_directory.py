"""docs/run-directory.md names every file of a real run, with the schema that the file has, and no other."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import BUNDLES
from tests.docs.conftest import ROOT

ROW = re.compile(r"^\| `([^`]+)` \| (truth|projection|public|log) \| .* \| (?:`([^`]*)`)? *\|$", re.M)
PAGE = (ROOT / "docs" / "run-directory.md").read_text(encoding="utf-8")


def documented():
    """Pattern of the path, its kind, and the schema or an empty text."""
    return [(pattern(path), kind, schema) for path, kind, schema in ROW.findall(PAGE)]


def pattern(path):
    return re.compile(re.sub(r"\\?<\w+\\?>", "[^/]+", re.escape(path)))


@pytest.mark.docker
def test_every_file_of_a_run_is_documented_with_its_schema_and_nothing_else_is(evaluation):
    bundles = [BUNDLES / name for name in ("range-sums", "guess-the-number", "window-medians")]
    solution = BUNDLES / "guess-the-number" / "solutions" / "garbage"
    root = evaluation(bundles, {"garbage": solution}, fail_fast=False).run_dir
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    met = set()
    for name, path in files.items():
        rows = [row for row in documented() if row[0].fullmatch(name)]
        assert len(rows) == 1, name
        where, kind, schema = rows[0]
        met.add(where)
        assert (kind == "public") == name.startswith("public/"), name
        assert schema_of(path) == schema, name
    assert met == {where for where, _, _ in documented()}


def schema_of(path):
    if path.suffix != ".json":
        return ""
    version = json.loads(path.read_text(encoding="utf-8")).get("schema_version", "")
    return version if isinstance(version, str) else ""
