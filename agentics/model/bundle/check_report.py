"""What `agentics challenge check` reports: one result for each proposal or bundle, and counts."""

from __future__ import annotations

from typing import Literal

from agentics.model.document.finding import Finding
from agentics.model.document.record import Record


class CheckResult(Record):
    """`error` is the first error in one sentence; `findings` has all, with their places. `warnings` do not fail."""

    path: str
    challenge_name: str | None
    status: Literal["passed", "failed"]
    warnings: tuple[str, ...]
    error: str | None
    findings: tuple[Finding, ...]


class CheckReport(Record):
    checked_count: int
    passed_count: int
    failed_count: int
    warning_count: int
    results: tuple[CheckResult, ...]


def report(results: tuple[CheckResult, ...]) -> CheckReport:
    """The counts follow from the results."""
    failed = sum(result.status == "failed" for result in results)
    return CheckReport(
        checked_count=len(results),
        passed_count=len(results) - failed,
        failed_count=failed,
        warning_count=sum(len(result.warnings) for result in results),
        results=results,
    )
