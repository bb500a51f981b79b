"""The paper's own tables with our rows beside them: what was published, what was measured, and what was not and why.

No row of ours can pass for another's: each says which experiment made it and on what backbone. Under every table of
numbers of whole films stands the drift of our rows, which such numbers hide.
"""

import csv as csv_format
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, get_args

import pandas as pd

from reports.statistics.drift import CONTRAST_SHARE
from reports.statistics.frame import COLUMNS
from reports.statistics.measures import OFFICIAL, digits_of
from reports.statistics.summary import UNDEFINED, Estimate, half_width
from reports.tables.grid import NONE, SKIPPED, Cell, Grid
from reports.tables.labels import ARROWS, metric_label
from reports.tables.notes import INTERVAL, VDE, flat_note, lengths_note, weighted_note
from reports.tables.numbers import MINUS, number, with_error, with_interval
from reports.tables.paper_rows import DYNAMIC, MADE, TRIVIAL, Ours, Part, parts
from reports.tables.published import printed
from reports.tables.text import LATEX_NEEDS, inert, latex_grid, markdown_grid

Form = Literal["md", "csv", "latex"]
PUBLISHED, MEASURED = "published", "measured"
_DRIFT = ("contrast", "vde", "slope")
_LOWER = ("sync_d", "fvd")
_UNKNOWN = (
    "Published rows: as the paper prints them, without standard errors; which suite, frame rate and resolution they were "
    "scored with is not stated, so compare them with measured rows with care"
)
_CSV = (
    "table", "paper_track", "duration_s", "track", "method", "row", "experiment", "backbone", "metric", "statistic",
    "value", "se", "low", "high", "n", "over", "unit", "reason", *MADE,
)  # fmt: skip


def paper_table(name: str, frame: pd.DataFrame, about: Mapping[str, str], form: Form) -> str:
    """A table of the paper, `svi-1` to `svi-8`, as Markdown, CSV or LaTeX (booktabs).

    `frame` is a results frame of everything measured, of any experiments; it may be empty. Videos of other methods are
    the variants of the experiment `scored`. `about`: experiment -> one line that says what its backbone is. Published
    rows are in the paper's order, ours behind the method they answer to, or at the end.

    Raises:
        ValueError: no such table or form, an experiment that `about` lacks, a frame that is none, or rows of ours that
            were not made alike.
    """
    if form not in get_args(Form):
        raise ValueError(f"form: received {form!r}, expected one of {', '.join(get_args(Form))}")
    unknown = sorted(set(frame["experiment"].unique()) - set(about)) if len(frame) else []
    if unknown:
        raise ValueError(f"about: received no line for experiment {unknown[0]!r}, expected what its backbone is")
    found = parts(name, frame)
    if form == "csv":
        return _csv(name, found, about)
    grids = [grid for part in found for grid in _grids(part, about)]
    if form == "md":
        return "\n\n".join(map(markdown_grid, grids)) + "\n"
    return (
        "\n\n".join([LATEX_NEEDS, *(latex_grid(grid, " ".join([f"{grid.title}.", *grid.notes])) for grid in grids)])
        + "\n"
    )


def nothing() -> pd.DataFrame:
    """The results frame of a store where nothing is measured yet."""
    return pd.DataFrame(columns=list(COLUMNS))


def _grids(part: Part, about: Mapping[str, str]) -> list[Grid]:
    drift = _drift_grid(part, about)
    return [_main_grid(part, about), *([drift] if drift else [])]


def _title(part: Part) -> str:
    where = f"{part.where} {part.seconds} s" if part.seconds else part.where
    return f"{part.source}: {where}" + (f"; ours on {part.track}" if any(row.measured for row in part.ours) else "")


def _main_grid(part: Part, about: Mapping[str, str]) -> Grid:
    digits = {metric: _digits(part, metric, "value") for metric in part.metrics}
    lines: list[list[Cell]] = []
    measured = [row for row in part.ours if row.measured]
    for method, texts in part.published.items():
        numbers = [Cell(printed(texts[metric]) if metric in texts else NONE) for metric in part.metrics]
        lines.append([Cell(method), Cell(PUBLISHED), Cell("arXiv 2510.09212"), *numbers])
        lines += [_measured_line(row, part, about, digits) for row in measured if row.method == method]
    lines += [_measured_line(row, part, about, digits) for row in measured if not row.method]
    for (experiment, why), variants in _skipped(part).items():
        names = [Cell(", ".join(variants)), Cell(f"{SKIPPED}: {why}"), Cell(_made_by(experiment, about))]
        lines.append([*names, *(Cell(NONE) for _ in part.metrics)])
    heads = [f"{metric_label(metric)} {_arrow(metric)}" for metric in part.metrics]
    return Grid(_title(part), ["method", "row", "by", *heads], lines, _notes(part), names=3)


def _measured_line(row: Ours, part: Part, about: Mapping[str, str], digits: Mapping[str, int]) -> list[Cell]:
    numbers = [_number(row, metric, digits[metric]) for metric in part.metrics]
    return [Cell(row.variant), Cell(MEASURED), Cell(_made_by(row.experiment, about)), *numbers]


def _number(row: Ours, metric: str, digits: int) -> Cell:
    found = row.values.get((metric, "value"))
    if found is not None:
        return Cell(with_error(number(found.mean, digits), found.se, digits))
    reason = _reason(row, metric)
    return Cell(SKIPPED, reason)


def _reason(row: Ours, metric: str) -> str:
    return row.reasons.get(metric) or (UNDEFINED if metric in row.made else "not scored")


def _skipped(part: Part) -> dict[tuple[str, str], list[str]]:
    """(experiment, why) -> its variants without any number here."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in part.ours:
        if not row.measured:
            found.setdefault((row.experiment, row.why), []).append(row.variant)
    return found


def _notes(part: Part) -> list[str]:
    units = dict.fromkeys("percent" if unit == "percent" else "raw values" for unit in part.units.values())
    notes = [f"In {' and '.join(units)}. {_UNKNOWN}."]
    measured = [row for row in part.ours if row.measured]
    if measured:
        notes += [_population(measured), *_how_made(part, measured)]
    if part.ours and not measured:
        notes.append("Nothing of ours is measured here.")
    if still := [row.variant for row in measured if row.variant in TRIVIAL]:
        names = ", ".join(dict.fromkeys(still))
        notes.append(
            f"Trivial baselines ({names}): they win on consistency alone by standing still, see dynamic degree."
        )
    if DYNAMIC in part.metrics and not any(DYNAMIC in texts for texts in part.published.values()):
        notes.append("Dynamic degree is not in the paper's table; consistency is not to be read without it.")
    if clipwise := sorted({metric for row in measured for metric in row.clipwise}):
        notes.append(f"{_labels(clipwise)} of ours: mean over a film's clips.")
    flat = [metric for metric in part.metrics if not any((metric, "contrast") in row.values for row in measured)]
    shown = [metric for metric in part.metrics if any((metric, "value") in row.values for row in measured)]
    notes += [*weighted_note(shown), *flat_note((metric for metric in shown if metric in flat), whose=" of ours")]
    told = {
        metric: dict.fromkeys(row.notes[metric] for row in measured if metric in row.notes) for metric in part.metrics
    }
    notes += [f"{metric_label(metric)}: {note}." for metric, all_told in told.items() for note in all_told]
    return notes + _reasons(part)


def _reasons(part: Part) -> list[str]:
    """Why metrics have no number in rows where something was measured or skipped, or none of some films."""
    by_reason: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in part.ours:
        for metric in part.metrics if row.measured or row.reasons else ():
            if (metric, "value") not in row.values:
                by_reason.setdefault(("Skipped", _reason(row, metric)), {}).setdefault(metric, []).append(row.variant)
            elif metric in row.reasons:
                some = ("Skipped in part", row.reasons[metric])
                by_reason.setdefault(some, {}).setdefault(metric, []).append(row.variant)
    notes = []
    for (skipped, reason), metrics in by_reason.items():
        where = "; ".join(f"{metric_label(metric)} of {', '.join(names)}" for metric, names in metrics.items())
        notes.append(f"{skipped}: {where}: {reason}.")
    return notes


def _population(rows: Iterable[Ours]) -> str:
    sizes: dict[str, list[int]] = {}
    for found in (value for row in rows for (_, statistic), value in row.values.items() if statistic == "value"):
        sizes.setdefault(found.over, []).append(found.n)
    spans = []
    for over, n in sorted(sizes.items()):
        upto = "" if min(n) == max(n) else f" to {max(n)}"
        spans.append(f"n = {min(n)}{upto} {over if max(n) > 1 else over.removesuffix('s')}")
    return f"Measured rows: mean ± standard error, {' or '.join(spans)}."


def _how_made(part: Part, rows: Iterable[Ours]) -> list[str]:
    """With what our rows were scored: they are all made alike, so any of them tells."""
    of = {metric: made for row in rows for metric, made in row.made.items() if metric in part.metrics}
    first = next(iter(of.values()))
    by_kind: dict[str, list[str]] = {}
    for metric in (metric for metric in part.metrics if metric in of):
        weights = f", weights {of[metric]['weights']}" if of[metric]["weights"] else ""
        against = f", against reference {of[metric]['compared_with']}" if of[metric]["compared_with"] else ""
        by_kind.setdefault(f"{of[metric]['suite']}{weights}{against}", []).append(metric)
    kinds = "; ".join(f"{kind} ({_labels(metrics)})" for kind, metrics in by_kind.items())
    return [f"Measured at fps {first['fps']:g}, {first['resolution']}, samples {first['samples']}, by {kinds}."]


def _drift_grid(part: Part, about: Mapping[str, str]) -> Grid | None:
    """A row a metric and variant of ours: what its curve says beside the number of the whole film."""
    measured = [row for row in part.ours if row.measured]
    lines = []
    for metric in part.metrics:
        curved = [row for row in measured if {(metric, "value"), (metric, "contrast")} <= set(row.values)]
        digits = {statistic: _digits(part, metric, statistic) for statistic in ("value", *_DRIFT)}
        name = Cell(f"{metric_label(metric)} {_arrow(metric)}")
        lines += [[name, *_drift_cells(row, metric, about, digits)] for row in curved]
    if not lines:
        return None
    legend = f"contrast = |first {MINUS} last {CONTRAST_SHARE * 100:.0f} % of clips|; {VDE}; slope = least squares over clips"
    notes = [f"Measured rows, in the units above; {legend}; {INTERVAL} by Student's t."]
    names = [row.variant for row in measured]
    who = [row.variant if names.count(row.variant) == 1 else f"{row.variant} of {row.experiment}" for row in measured]
    notes += lengths_note({name: row.clips for name, row in zip(who, measured, strict=True) if row.clips is not None})
    heads = ["metric", "method", "by", "whole film", "contrast", "VDE", f"slope per minute ({INTERVAL})"]
    return Grid(f"{_title(part)}, drift", heads, lines, notes, names=3, grouped=True)


def _drift_cells(row: Ours, metric: str, about: Mapping[str, str], digits: Mapping[str, int]) -> list[Cell]:
    cells = [Cell(row.variant), Cell(_made_by(row.experiment, about))]
    for statistic in ("value", *_DRIFT):
        found, decimals = row.values.get((metric, statistic)), digits[statistic]
        if found is None:
            cells.append(Cell("undefined"))
        elif statistic == "slope":
            cells.append(Cell(with_interval(found.mean, *_interval(found), decimals)))
        else:
            cells.append(Cell(with_error(number(found.mean, decimals), found.se, decimals)))
    return cells


def _interval(found: Estimate) -> tuple[float, float]:
    width = half_width(found.se, found.n)
    return found.mean - width, found.mean + width


def _digits(part: Part, metric: str, statistic: str) -> int:
    rows = [row.values[metric, statistic] for row in part.ours if (metric, statistic) in row.values]
    return digits_of(pd.DataFrame(rows, columns=["mean", "se", "n", "over"]))


def _made_by(experiment: str, about: Mapping[str, str]) -> str:
    return f"{experiment}: {about[experiment]}"


def _labels(metrics: Iterable[str]) -> str:
    return ", ".join(map(metric_label, metrics))


def _arrow(metric: str) -> str:
    return ARROWS["lower" if metric.removesuffix(OFFICIAL) in _LOWER else "higher"]


def _csv(name: str, found: Iterable[Part], about: Mapping[str, str]) -> str:
    text = io.StringIO()
    writer = csv_format.DictWriter(text, _CSV, restval="", lineterminator="\n")
    writer.writeheader()
    for part in found:
        where = {"table": name, "paper_track": part.where, "duration_s": part.seconds, "track": part.track}
        for record in _records(part, about):
            writer.writerow(where | {key: _field(value) for key, value in record.items()})
    return text.getvalue()


def _field(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return inert(value) if isinstance(value, str) else value


def _records(part: Part, about: Mapping[str, str]) -> Iterator[dict[str, object]]:
    for method, texts in part.published.items():
        for metric, text in texts.items():
            unit = part.units[metric]
            yield {
                "method": method, "row": PUBLISHED, "metric": metric, "statistic": "value", "value": printed(text), "unit": unit,
            }  # fmt: skip
    for row in part.ours:
        who = {"method": row.variant, "experiment": row.experiment, "backbone": about[row.experiment]}
        for metric in part.metrics:
            of = who | {"metric": metric, "unit": part.units[metric]} | dict(row.made.get(metric, {}))
            if (metric, "value") not in row.values:
                yield of | {"row": SKIPPED, "statistic": "value", "reason": row.why or _reason(row, metric)}
            units = {"vde": "relative", "slope": f"{part.units[metric]} per minute"}
            for statistic in ("value", *_DRIFT):
                if (estimated := row.values.get((metric, statistic))) is not None:
                    low, high = _interval(estimated)
                    numbers = {"value": estimated.mean, "se": estimated.se, "low": low, "high": high}
                    counted = {"n": estimated.n, "over": estimated.over}
                    of |= {"statistic": statistic, "unit": units.get(statistic, part.units[metric])}
                    yield of | {"row": MEASURED, **numbers, **counted}
