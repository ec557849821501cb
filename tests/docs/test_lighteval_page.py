"""docs/lighteval.md names every error that the code of model evaluations can give, and none that it cannot."""

from __future__ import annotations

import re

from tests.docs.conftest import ROOT

PAGE = (ROOT / "docs" / "lighteval.md").read_text(encoding="utf-8")
OURS = (
    "lighteval",
    "model/job/plugin.py",
    "model/job/suite.py",
    "model/job/judge_template.py",
    "request/job_file.py",
    "model_worker/launch.py",
)
GIVEN = re.compile(
    r'code="([a-z_]+)"|OrderError\([^"]*?"[a-z]+", "([a-z_]+)"|(?:_problem|Failure|refuse)\("([a-z_]+)"'
    r'|"code": "([a-z_]+)"|return "([a-z]+_[a-z_]+)", f"'
)


def codes():
    rows = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", PAGE.partition("\n## Errors\n")[2], re.M)
    return [code for row in rows for code in re.findall(r"`(\w+)`", row)]


def sources(*places):
    for place in places:
        at = ROOT / "agentics" / place
        for path in sorted(at.rglob("*.py")) if at.is_dir() else [at]:
            yield path.read_text(encoding="utf-8")


def test_every_error_of_a_job_is_explained():
    given = {code for text in sources(*OURS) for found in GIVEN.findall(text) for code in found if code}
    assert {"unknown_task", "metric_failed", "timeout", "slow_pattern", "option_reserved"} <= given
    assert given - set(codes()) == set()


def test_no_error_is_explained_twice_or_unknown_to_the_code():
    known = set(re.findall(r'"([a-z_]+)"', "".join(sources("."))))
    assert len(codes()) == len(set(codes()))
    assert set(codes()) - known == set()
