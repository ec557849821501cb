"""docs/run-directory.md names every file of a real run, with the schema that the file has, and no other."""

from __future__ import annotations

import json
import re
import shutil
import sys

import pytest

from agentics.model.run.design import AdapterCommand, Design
from agentics.pipeline.progress import silent
from agentics.request.campaign import EvalRequest, compile_request
from agentics.rundir.files.contents import PLACES, place_of
from agentics.usecases.evaluate import evaluate
from tests.conftest import BUNDLES
from tests.docs.conftest import ROOT

ROW = re.compile(r"^\| `([^`]+)` \| (truth|projection|public|log) \| .* \| (?:`([^`]*)`)? *\|$", re.M)
RARE = re.compile(r"^\| `([^`]+/[^`]+)` \| (?!truth|projection|public|log)[^|]*\|.* \| (?:`([^`]*)`)? *\|$", re.M)
"""The rows of files that are there only after something has happened: of the second column it says after what."""
PAGE = (ROOT / "docs" / "run-directory.md").read_text(encoding="utf-8")

SETUP = """
import shutil, sys
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
shutil.copy("public/runs.json", words["--runs-file"])
"""


def documented():
    """Pattern of the path, its kind, and the schema or an empty text."""
    return [(pattern(path), kind, schema) for path, kind, schema in ROW.findall(PAGE)]


def pattern(path):
    return re.compile(re.sub(r"<\w+>", "[^/]+", re.escape(path).replace("<rest>", ".+")))


def test_every_place_that_the_code_knows_is_documented_and_no_other_is():
    named = [path for path, _, _ in ROW.findall(PAGE)] + [path for path, _ in RARE.findall(PAGE)]
    names = [place.name for place in PLACES]
    assert not [path for path in named if place_of(path) is None and not any(map(pattern(path).fullmatch, names))]
    assert not [
        place.name
        for place in PLACES
        if not any(place.pattern.fullmatch(path) or pattern(path).fullmatch(place.name) for path in named)
    ]


@pytest.mark.docker
def test_every_file_of_a_scored_comparison_is_documented_with_its_schema_and_nothing_else_is(tmp_path, config):
    request = EvalRequest(
        bundles=(with_setup(tmp_path / "range-sums"), BUNDLES / "guess-the-number", BUNDLES / "window-medians"),
        solutions=tuple((name, BUNDLES / "guess-the-number" / "solutions" / "garbage") for name in ("one", "other")),
        design=Design(comparison="paired"),
        adapter=AdapterCommand(command=(sys.executable, "-m", "agentics.adapters.verdicts")),
        output_path=tmp_path / "outputs",
    )
    root = evaluate(compile_request(request, config), silent, operation="experiment").run_dir
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    met = set()
    for name, path in files.items():
        rows = [row for row in documented() if row[0].fullmatch(name)]
        assert len(rows) == 1, name
        where, kind, schema = rows[0]
        met.add(where)
        assert (kind == "public") == name.startswith("public/"), name
        assert schema_of(path) in (schema, None), name
    assert met == {where for where, _, _ in documented()}


def with_setup(copy):
    """A shipped challenge whose cases are made by a setup."""
    shutil.copytree(BUNDLES / "range-sums" / "v1", copy)
    (copy / "separated-evaluator" / "setup.py").write_text(SETUP, encoding="utf-8")
    spec = json.loads((copy / "spec.json").read_bytes())
    command = ["python3", "separated-evaluator/setup.py"]
    setup = {"command": command, "result_runs_file": "runs.json", "reproducibility_notes": "a copy of public/runs.json"}
    spec["execution"] |= {"validation_runs": None, "validation_setup": setup}
    (copy / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    return copy


def schema_of(path):
    """What a document or the first line of a ledger says; None where there is no line."""
    if path.suffix not in (".json", ".jsonl"):
        return ""
    text = path.read_text(encoding="utf-8")
    if not text:
        return None
    version = json.loads(text if path.suffix == ".json" else text.splitlines()[0]).get("schema_version", "")
    return version if isinstance(version, str) else ""
