"""`agentics run compare`: a run's variants against its baseline, for people and for programs."""

from __future__ import annotations

from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from agentics.cli.arguments import NameReader, PathReader, RunDir
from agentics.cli.console import err, one_line, out, print_json
from agentics.cli.figure import FORMATS, draw
from agentics.errors import UsageError
from agentics.model.run.analysis import (
    Difference,
    MeanDifference,
    PairedStatistics,
    SampleCoverage,
    VariantComparison,
    VariantSummary,
)
from agentics.model.run.design import Comparison
from agentics.policy.compare.variants import Observation, compare
from agentics.policy.jobs.comparison import check_comparable
from agentics.policy.verdict.reasons import what
from agentics.rundir.projections.analysis import Sheet, read_sheet, summary
from agentics.rundir.projections.jobs import contenders
from agentics.rundir.reader import read_run

_SHOWN = 5


class How(StrEnum):
    """Pairs of the same task and replication, or two samples."""

    paired = "paired"
    unpaired = "unpaired"


EPILOG = """
A pair is one task and replication that both variants tried. Pairs in which a side has no verdict are excluded, and
counted with the reason. p: exact binomial test of wins against losses, adjusted for the number of variants (Holm);
replications of one task count as if they were independent. Models that were not measured alike are refused. A model's
metric that lacks answers is shown with what it rests on; `agentics job compare` compares the answers that both have.

Examples:

  agentics run compare outputs/nightly

  agentics run compare outputs/nightly --baseline old --plot comparison.svg
"""


def add(app: typer.Typer) -> None:
    """Register the command with the noun `run`."""
    app.command("compare", epilog=EPILOG)(show)


def show(
    run: RunDir,
    baseline: Annotated[
        str | None,
        typer.Option(
            parser=NameReader("--baseline"), help="The variant to compare with; the experiment's if not said."
        ),
    ] = None,
    how: Annotated[How | None, typer.Option(help="How; the experiment's if not said. [default: paired]")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            parser=PathReader("--plot", "write"),
            metavar="FILE.svg|png|pdf",
            help="Also draw it. Needs matplotlib (agentics[plot]).",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compare the variants of a run with its baseline."""
    view = read_run(run)
    check_comparable(contenders(view))
    sheet = read_sheet(view)
    observations = _baseline_first(sheet, baseline)
    base = next(iter(observations))
    unpaired = how is How.unpaired or (how is None and sheet.comparison == "unpaired")
    chosen: Comparison = "unpaired" if unpaired else "paired"
    found = compare(observations, base, chosen)
    if plot is not None:
        _check(plot)
        draw(plot, f"run {sheet.run_id}", observations, found)
    if json:
        rates = {name: one.model_dump(mode="json") for name, one in summary(sheet).variants.items()}
        print_json(
            {
                "ok": True,
                "command": "run compare",
                "run": {"run_id": sheet.run_id, "run_dir": str(run)},
                "baseline": base,
                "comparison": chosen,
                "variants": rates,
                "comparisons": [one.model_dump(mode="json") for one in found],
                "plot": str(plot) if plot is not None else None,
            }
        )
        return
    _tell(base, found, summary(sheet).variants)
    if plot is not None:
        out.print(f"drawn {escape(one_line(str(plot)))}", style="dim")


def _baseline_first(sheet: Sheet, wanted: str | None) -> dict[str, list[Observation]]:
    observations = sheet.observations
    if len(observations) < 2:  # noqa: PLR2004 - one variant is no comparison
        msg = f"run {sheet.run_id} has {len(observations)} variant, and a comparison needs two"
        raise UsageError(msg, code="nothing_to_compare", hint="give several --solution, or write an experiment file")
    name = wanted or sheet.baseline
    if name not in observations:
        near = get_close_matches(name, observations, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(observations)}"
        msg = f"no variant is called {name!r}"
        raise UsageError(msg, code="unknown_variant", hint=hint)
    return {name: observations[name], **observations}


def _check(plot: Path) -> None:
    if plot.suffix.lower() not in FORMATS:
        msg = f"{plot}: a figure is one of {', '.join(FORMATS)}"
        raise UsageError(msg, code="bad_plot")
    if not plot.absolute().parent.is_dir():
        msg = f"{plot}: there is no such directory"
        raise UsageError(msg, code="bad_plot")


def _tell(base: str, found: list[VariantComparison], rates: dict[str, VariantSummary]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("variant", overflow="fold")
    for column in ("success", "win/loss/tie", "p", "difference", "metric difference"):
        table.add_column(column, justify="right")
    table.add_row(f"{_text(base)} [dim](baseline)[/]", coverage(rates[base]), *["-"] * 4)
    for one in found:
        table.add_row(_text(one.variant), coverage(rates[one.variant]), *_cells(one))
    out.print(table)
    for name, rate in rates.items():
        if rate.coverage is not None and rate.coverage.lacking:
            out.print(f"[yellow]{_text(name)} {_lacking(rate.coverage)}[/]")
    for one in found:
        if one.paired is not None and one.paired.excluded_pairs:
            reasons = ", ".join(f"{number} {_reason(why)}" for why, number in one.paired.excluded.items())
            count = one.paired.excluded_pairs
            err.print(f"[yellow]{_text(one.variant)}: {count} pair{'s' * (count > 1)} excluded:[/] {reasons}")


def coverage(one: VariantSummary) -> str:
    """`0.81 over 97/100, 3 excluded`."""
    if one.success_rate is None:
        return f"- over 0/{one.total}"
    left = one.total - one.valid
    return f"{one.success_rate:.2f} over {one.valid}/{one.total}" + (f", {left} excluded" if left else "")


def _cells(one: VariantComparison) -> tuple[str, ...]:
    if one.paired is not None:
        paired = one.paired
        split = f"{paired.wins}/{paired.losses}/{paired.ties}" if paired.pairs else "no pairs"
        return split, _p(paired), _difference(paired.rate_difference), _metrics(paired)
    return "-", "-", _difference(one.unpaired.rate_difference if one.unpaired else None), "-"


def _p(paired: PairedStatistics) -> str:
    p = paired.p_value_holm
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"  # noqa: PLR2004 - what three digits can say


def _difference(found: Difference | None) -> str:
    if found is None:
        return "-"
    interval = f" [{found.interval.low:+.2g}, {found.interval.high:+.2g}]" if found.interval else ""
    return escape(f"{found.value:+.2g}{interval}")


def _metrics(paired: PairedStatistics) -> str:
    shown = [f"{_text(m.metric_name)} {_difference(m.difference)}{_over(m)}" for m in paired.mean_differences]
    return "\n".join(shown) or "-"


def _over(found: MeanDifference) -> str:
    """What the two means rest on, the variant's first, where one of them lacks samples."""
    sides = [side for side in (found.variant_coverage, found.baseline_coverage) if side is not None]
    if not any(side.lacking for side in sides):
        return ""
    return " over " + " against ".join(f"{side.n}/{side.of}" for side in sides)


def _lacking(found: SampleCoverage) -> str:
    """`rests on 6 of 8 samples: one|0 lacks 2`."""
    lacks = [f"{task} lacks {number}" for task, number in found.lacking.items()]
    more = [f"and {len(lacks) - _SHOWN} more tasks"] if len(lacks) > _SHOWN else []
    return _text(f"rests on {found.n} of {found.of} samples: {', '.join([*lacks[:_SHOWN], *more])}")


def _reason(why: str) -> str:
    side, _, reason = why.partition(":")
    return escape(one_line(f"{side}: {what(reason)}"))


def _text(name: str) -> str:
    return escape(one_line(name))
