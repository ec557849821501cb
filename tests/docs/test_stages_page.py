"""The page on stages lists those that ship, and shows the example as it is."""

from __future__ import annotations

from agentics.stages import BUILT_IN
from tests.docs.conftest import ROOT, code_blocks, first_column, section

PAGE = (ROOT / "docs" / "stages.md").read_text(encoding="utf-8")


def test_every_stage_that_ships_is_on_the_page():
    assert set(first_column(section(PAGE, "What ships"), "stage")) == set(BUILT_IN.stages)


def test_the_example_on_the_page_is_that_of_the_package():
    package = ROOT / "examples" / "stage-package"
    source = (package / "count_lines" / "__init__.py").read_text() + (package / "pyproject.toml").read_text()
    shown = code_blocks(PAGE, "python", "toml")[:2]
    for line in "\n".join(shown).splitlines():
        assert line.strip() in source or "..." in line or "count_lines" in line, line
