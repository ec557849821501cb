"""What docs say and code decides is the same: generated parts are current, and the lists equal the enums in the code.

The comparisons read the committed pages, not the generator: a generator that leaves something out is found here.
"""

from __future__ import annotations

import re
from typing import get_args

import pytest

from agentics.errors import AgenticsError
from agentics.model.document.record import Fault, Status, Trust
from agentics.model.document.strict_types import Document
from agentics.model.job import jobspec
from agentics.model.run.outcome import Counts, ExitPolicy
from agentics.policy.outcome import run_outcome
from tests.docs.conftest import DOCUMENTS, ROOT, first_column, section

OF_A_JOBSPEC = {model for model in Document.__subclasses__() if model.__module__ == jobspec.__name__}


def test_the_committed_pages_are_what_the_code_says_now(generator):
    stale = [path.name for path in generator.DOCUMENTS if generator.current(text(path)) != text(path)]
    assert not stale, "run scripts/generate_docs.py"


def test_a_page_that_differs_is_found(generator):
    page = "by hand\n<!-- generated: words policies -->\nold\n<!-- end -->\nby hand\n"
    renewed = generator.current(page)
    assert "old" not in renewed
    assert "`relaxed`" in renewed
    assert renewed.startswith("by hand\n")
    assert renewed.endswith("<!-- end -->\nby hand\n")
    assert generator.current(renewed) == renewed


def test_a_word_that_docs_do_not_explain_stops_the_generator(generator, monkeypatch):
    monkeypatch.setitem(generator.WORDS, "policies", lambda: ("relaxed", "smoke", "strict", "new"))
    with pytest.raises(ValueError, match=r"words\.toml"):
        generator.words("policies")


def test_a_field_without_a_meaning_stops_the_generator(generator, monkeypatch):
    known = generator.MEANINGS["job.jobspec.ArtifactOptions"]
    monkeypatch.setitem(generator.MEANINGS, "job.jobspec.ArtifactOptions", {"output_dir": known["output_dir"]})
    with pytest.raises(ValueError, match="save_details"):
        generator.fields("job.jobspec.ArtifactOptions")


def test_every_key_of_a_jobspec_is_explained(generator):
    explained = {name.removeprefix("job.jobspec.") for name in generator.MEANINGS if name.startswith("job.jobspec.")}
    assert explained == {model.__name__ for model in OF_A_JOBSPEC}
    page = text(ROOT / "docs" / "lighteval.md")
    for model in OF_A_JOBSPEC:
        part = re.search(rf"<!-- generated: fields job\.jobspec\.{model.__name__} -->\n(.*?)<!-- end -->", page, re.S)
        assert part is not None, model
        assert first_column(part[1], "key") == list(model.model_fields)


def test_every_generated_part_is_closed():
    for path in DOCUMENTS:
        marks = re.findall(r"<!-- (generated: .*?|end) -->", text(path))
        assert [mark == "end" for mark in marks] == [False, True] * (len(marks) // 2), path.name


def test_b14_statuses_counts_and_policies_in_docs_equal_the_code(cli_page):
    assert first_column(section(cli_page, "Statuses"), "status") == list(get_args(Status))
    assert first_column(section(cli_page, "Statuses"), "faults") == list(get_args(Fault))
    assert first_column(section(cli_page, "Statuses"), "trust") == list(get_args(Trust))
    assert first_column(section(cli_page, "JSON"), "counts") == list(Counts.model_fields)
    assert first_column(section(cli_page, "Exit policies and exit codes"), "policies") == list(get_args(ExitPolicy))


def test_b14_what_each_policy_accepts_in_docs_is_what_it_accepts(cli_page):
    rows = re.findall(r"^\| `(\w+)` \|.*?\| (yes|no) \| (yes|no) \| (yes|no) \| (yes|no) \|$", cli_page, re.M)
    assert len(rows) == len(get_args(Status))
    for status, completed, *accepted in rows:
        assert (completed == "yes") == (status in run_outcome.COMPLETED), status
        for policy, said in zip(get_args(ExitPolicy), accepted, strict=True):
            assert (said == "yes") == run_outcome.accepts(policy, status), (policy, status)


def test_b14_exit_codes_in_docs_are_those_that_the_code_can_give(cli_page):
    documented = {int(word) for word in first_column(section(cli_page, "Exit policies and exit codes"), "exit codes")}
    own = {run_outcome.EXIT_POLICY_NOT_MET, run_outcome.EXIT_CHALLENGE, run_outcome.EXIT_INFRASTRUCTURE}
    own.add(run_outcome.EXIT_CONTROLLED)
    assert documented == {0, 129, 130, 143} | own | {kind.exit_status for kind in kinds(AgenticsError)}
    readme = {int(word) for word in first_column(text(ROOT / "README.md"), "exit codes")}
    assert readme == documented


def test_environment_variables_in_docs_are_those_that_the_host_side_reads(cli_page):
    said = set(re.findall(r"`([A-Z][A-Z_]+)`", section(cli_page, "Environment variables")))
    # Adapters and workers are programs of their own; docs/adapters.md has the variables of the first.
    sources = [p for p in (ROOT / "agentics").rglob("*.py") if not {"guest", "adapters", "entry"} & {*p.parts}]
    pattern = re.compile(r'environ(?:ment)?(?:\.get\(|\[)"([A-Z_]+)"|_VARIABLE = "([A-Z_]+)"')
    read = {name for path in sources for pair in pattern.findall(text(path)) for name in pair if name}
    by_libraries = {"NO_COLOR", "FORCE_COLOR"}
    assert said - by_libraries == read - {"PATH"}


def kinds(base: type[AgenticsError]) -> set[type[AgenticsError]]:
    return {kind for child in base.__subclasses__() for kind in {child} | kinds(child)}


def text(path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
