"""A comparison as a picture for a slide: each variant's rate, its difference to the baseline, and what every task gave.

Colours are of the palette of Okabe and Ito, which people see apart who do not see all colours; and nothing is told by
colour alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentics.cli.console import one_line
from agentics.errors import StorageError, UsageError
from agentics.model.run.analysis import Interval, VariantComparison, VariantSummary
from agentics.policy.compare.variants import Observation, coverage_of, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png", ".pdf")

_BLUE, _ORANGE, _GREY, _INK, _PALE = "#0072B2", "#E69F00", "#D9D9D9", "#222222", "#777777"
_NAME, _TASK, _SLANTED_TASKS, _LABELLED_TASKS = 30, 26, 15, 40
_SETTINGS: dict[Any, Any] = {
    "font.size": 11,
    "text.parse_math": False,  # a name may hold a dollar sign
    "svg.hashsalt": "agentics",
    "hatch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": _PALE,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
    "axes.labelcolor": _INK,
}

Observations = Mapping[str, Sequence[Observation]]


def draw(path: Path, title: str, observations: Observations, found: Sequence[VariantComparison]) -> None:
    """Write the picture; the first of `observations` is the baseline. Raises UsageError without matplotlib."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra, and 0.5 s to import
        from matplotlib.figure import Figure  # noqa: PLC0415
        from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415
    except ImportError as error:
        msg = "matplotlib is not installed, so there is no picture"
        raise UsageError(msg, code="no_matplotlib", hint="pip install 'agentics[plot]'") from error
    # A name may hold characters that the font lacks: boxes in their place are no failure.
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows, tasks = len(observations), len(_tasks(observations))
        height = 2.4 + 0.62 * rows + 0.5 * rows + (1.9 if tasks <= _LABELLED_TASKS else 0.6)
        figure = Figure(figsize=(12, height), layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.08))
        _fill(figure, title, observations, found)
        dated = {"Date": None} if path.suffix.lower() == ".svg" else {}
        try:
            figure.savefig(path, dpi=200, metadata=dated or None)
        except OSError as error:
            msg = f"{path}: {error.strerror}"
            raise StorageError(msg) from error


def _fill(figure: Figure, title: str, observations: Observations, found: Sequence[VariantComparison]) -> None:
    rows = len(observations)
    grid = figure.add_gridspec(2, 2, height_ratios=[0.62 * rows + 0.6, 0.5 * rows + 0.4], width_ratios=[1, 1.45])
    rates = figure.add_subplot(grid[0, 0])
    differences = figure.add_subplot(grid[0, 1], sharey=rates)
    _rates(rates, observations)
    _differences(differences, list(observations), found)
    _outcomes(figure.add_subplot(grid[1, :]), observations)
    base = _short(next(iter(observations)), _NAME)
    figure.suptitle(f"{_short(title, 60)}: variants against {base}", x=0.01, ha="left", fontsize=14, fontweight="bold")


def _rates(axes: Axes, observations: Observations) -> None:
    labels = []
    for row, (name, seen) in enumerate(observations.items()):
        one = summarise(seen, {})
        left = f", {one.total - one.valid} excluded" if one.total > one.valid else ""
        labels.append(f"{_short(name, _NAME)}\n{one.successes} of {one.valid}{left}{_samples(one)}")
        if one.success_rate is not None:
            _dot(axes, row, one.success_rate, one.success_interval, hollow=row == 0)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "50 %", "", "100 %"])
    axes.set_title("Success rate, 95 % interval", loc="left", fontsize=11)
    _plain(axes)


def _samples(one: VariantSummary) -> str:
    """What a model's metrics rest on, where they lack samples."""
    found = one.coverage
    return f"\n{found.n} of {found.of} samples" if found is not None and found.lacking else ""


def _differences(axes: Axes, names: Sequence[str], found: Sequence[VariantComparison]) -> None:
    axes.axvline(0, color=_PALE, linewidth=1.2, zorder=1)
    axes.text(1.03, 0, "baseline", transform=axes.get_yaxis_transform(), va="center", fontsize=10, color=_PALE)
    furthest = 0.1
    for one in found:
        row = names.index(one.variant)
        said = one.paired.rate_difference if one.paired else one.unpaired.rate_difference if one.unpaired else None
        axes.text(1.03, row, _beside(one), transform=axes.get_yaxis_transform(), va="center", fontsize=10)
        if said is None:
            continue
        _dot(axes, row, said.value, said.interval)
        ends = (said.interval.low, said.interval.high) if said.interval else (said.value,)
        furthest = max(furthest, *map(abs, ends))
    axes.set_xlim(-1.1 * furthest, 1.1 * furthest)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.0f}" if round(value, 6) else "0")
    axes.tick_params(axis="y", labelleft=False)
    axes.set_title("Difference to the baseline, percentage points", loc="left", fontsize=11)
    _plain(axes)


def _beside(one: VariantComparison) -> str:
    if one.paired is None:
        return ""
    paired = one.paired
    if not paired.pairs:
        return "no pair with two verdicts"
    p = paired.p_value_holm
    p_value = "" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"  # noqa: PLR2004 - three digits
    left = f", {paired.excluded_pairs} excluded" if paired.excluded_pairs else ""
    return f"{paired.wins} won, {paired.losses} lost, {paired.ties} tied\n{p_value}{left}"


def _outcomes(axes: Axes, observations: Observations) -> None:
    """A column for each task, the easiest first; a cell is divided as its replications ended. A star: samples of the
    task are lacking."""
    tasks, partial = _tasks(observations), False
    for row, seen in enumerate(observations.values()):
        for column, task in enumerate(tasks):
            here = [one for one in seen if one.task == task]
            _cell(axes, row, column, [one.verdict for one in here])
            covered = coverage_of((one.task, one.metric) for one in here)
            if covered is not None and covered.lacking:
                partial = True
                axes.text(column, row, "*", ha="center", va="center", color="white", fontsize=14)
    axes.set_yticks(range(len(observations)), [_short(name, _NAME) for name in observations])
    axes.set_ylim(len(observations) - 0.4, -0.6)
    axes.set_xlim(-0.6, max(len(tasks), 12) - 0.4)
    if len(tasks) <= _LABELLED_TASKS:
        slant: dict[str, Any] = {"rotation": 40, "ha": "right"} if len(tasks) <= _SLANTED_TASKS else {"rotation": 90}
        axes.set_xticks(range(len(tasks)), [_short(task, _TASK) for task in tasks], fontsize=9, **slant)
    else:
        axes.set_xticks([])
        axes.set_xlabel(f"{len(tasks)} tasks, the easiest first")
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)
    told = " (*: without some of its samples)" if partial else ""
    axes.set_title(f"What every task gave{told}", loc="left", fontsize=11)
    _legend(axes)


def _cell(axes: Axes, row: int, column: int, verdicts: Sequence[str | None]) -> None:
    bottom = row + 0.4
    for verdict, colour, hatch in (("success", _BLUE, None), ("failure", _ORANGE, "///"), (None, _GREY, "xx")):
        share = 0.8 * verdicts.count(verdict) / len(verdicts) if verdicts else 0.0
        if share:
            edge = "white" if hatch else colour
            axes.bar(column, -share, 0.86, bottom=bottom, color=colour, hatch=hatch, edgecolor=edge, linewidth=0)
        bottom -= share


def _legend(axes: Axes) -> None:
    kinds = (("success", _BLUE, None), ("failure", _ORANGE, "///"), ("no verdict", _GREY, "xx"))
    for name, colour, hatch in kinds:
        axes.bar(0, 0, color=colour, hatch=hatch, edgecolor="white" if hatch else colour, linewidth=0, label=name)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=10, borderaxespad=0.2)


def _dot(axes: Axes, row: int, value: float, interval: Interval | None, *, hollow: bool = False) -> None:
    if interval is not None:
        axes.plot(
            [interval.low, interval.high], [row, row], color=_BLUE, linewidth=2.4, solid_capstyle="butt", zorder=2
        )
    face = "white" if hollow else _BLUE
    axes.plot(
        [value], [row], "o", markersize=9, markerfacecolor=face, markeredgecolor=_BLUE, markeredgewidth=2, zorder=3
    )


def _plain(axes: Axes) -> None:
    axes.grid(axis="x", color="#EEEEEE", zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)


def _tasks(observations: Observations) -> list[str]:
    successes: dict[str, int] = {}
    for one in (one for seen in observations.values() for one in seen):
        successes[one.task] = successes.get(one.task, 0) + (one.verdict == "success")
    return sorted(successes, key=lambda task: -successes[task])


def _short(text: str, limit: int) -> str:
    """The ends of a long name tell more than its middle."""
    line = one_line(text)
    half = (limit - 1) // 2
    return line if len(line) <= limit else f"{line[:half]}…{line[-half:]}"
