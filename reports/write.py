"""Writes a report: one folder with the page, the tables, the figures and the numbers behind them."""

import re
import zlib
from pathlib import Path

import pandas as pd

from reports import artifacts
from reports.figures.curves import delta_figure, drift_figure, shown_variants
from reports.figures.errors import error_figures
from reports.figures.forecast import forecast_curves, forecast_figure
from reports.figures.length import length_figure
from reports.figures.moving import side_by_side
from reports.figures.sheet import sheet_figure
from reports.figures.style import png, svg
from reports.page.films import Link
from reports.page.page import page
from reports.statistics.info import ReportInfo
from reports.statistics.length import length_table
from reports.statistics.view import ReportView
from reports.tables import text as tables
from reports.tables.cost_table import cost_grid, fairness
from reports.tables.forecast_table import forecast_grid
from reports.tables.settings_table import settings_grid


def write_report(frame: pd.DataFrame, info: ReportInfo, folder: Path, link: Link) -> ReportView:
    """Write all of `reports.artifacts` into `folder`; returns what it was made from.

    `link` says where the page finds films that are too large for it.

    Raises:
        ValueError: a frame that `validated` refuses, an unknown published table, or frames.npy of another shape.
    """
    report = ReportView.of(frame, info)
    figures = _write_figures(report, folder / artifacts.FIGURES)
    for name, text in (
        (artifacts.RESULTS, tables.csv(report.frame)),
        (artifacts.SUMMARY, tables.csv(report.summary)),
        (artifacts.LATEX, tables.latex(report)),
        (artifacts.ANSWER, f"{tables.markdown_answers(report)}\n"),
        (artifacts.TABLE, f"{tables.markdown_tables(report)}\n"),
        (artifacts.DOCUMENT, _markdown(report, figures)),
        (artifacts.REPRODUCE, f"{info.reproduce}\n"),
        (artifacts.PAGE, page(report, link)),
    ):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return report


def _write_figures(report: ReportView, folder: Path) -> list[str]:
    """Write every figure as PNG, the drift curves as SVG, quality against length as numbers and films side by side as WebP too; the
    names of the PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for view in report.tracks:
        drift, lengths, track = drift_figure(view), length_table(view), _file_name(view.track)
        drawn = {
            "drift": drift,
            "length": length_figure(view, lengths),
            "deltas": delta_figure(view),
            "forecast": forecast_figure(view),
            "forecast-curves": forecast_curves(view),
            "sheet": sheet_figure(view.info, view.track, shown_variants(view)),
        }
        if (films := side_by_side(view)) is not None:
            (folder / f"films-{track}.webp").write_bytes(films)
        for kind, figure in drawn.items():
            if figure is not None:
                names.append(f"{kind}-{track}.png")
                (folder / names[-1]).write_bytes(png(figure))
        if len(lengths):
            csv = tables.csv(lengths)
            (folder / f"length-{track}.csv").write_text(csv, encoding="utf-8", newline="\n")
        if drift is not None:
            (folder / f"drift-{track}.svg").write_text(svg(drift), encoding="utf-8", newline="\n")
    for name, figure in error_figures(report.info):
        names.append(f"{_file_name(name)}.png")
        (folder / names[-1]).write_bytes(png(figure))
    return names


def _file_name(name: str) -> str:
    """The name of a track or a picture, or what is left of it in a file's name, with a check sum so that no two are the same."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)
    return name if name == plain else f"{plain}-{zlib.crc32(name.encode()):08x}"


def _markdown(report: ReportView, figures: list[str]) -> str:
    info = report.info
    settings = settings_grid(info)
    costs = [f"- {_text(kind)}: {_text(time)}" for kind, time in info.costs.items()]
    provenance = [f"- {_text(name)}: {_text(value)}" for name, value in info.provenance.items()]
    about = f"Profile {info.profile}, backbone {info.backbone}, seeds {', '.join(map(str, info.seeds))}."
    sections = [
        f"# {_text(info.experiment)}\n\n{_text(info.question)}",
        _text(about),
        tables.markdown(report).rstrip(),
        f"## What these numbers may claim\n\n{_text(info.caption)}",
        f"## Further measures\n\n{tables.markdown_further(report)}".rstrip(),
        *_forecasts(report),
        "## Figures\n\n"
        + "\n\n".join(f"![{name.removesuffix('.png')}]({artifacts.FIGURES}/{name})" for name in figures),
        *([f"## Settings\n\n{tables.markdown_grid(settings)}".rstrip()] if settings else []),
        "## Costs\n\n" + "\n".join(costs),
        *_spent(info),
        "## Provenance\n\n" + "\n".join(provenance),
        f"## Reproduce\n\n{_code(info.reproduce, at_least=3, lines=True)}",
    ]
    return "\n\n".join(sections) + "\n"


def _forecasts(report: ReportView) -> list[str]:
    grids = [grid for view in report.tracks if (grid := forecast_grid(view))]
    return ["## Forecast from one clip", *map(tables.markdown_grid, grids)] if grids else []


def _spent(info: ReportInfo) -> list[str]:
    """The table of costs, or the sentence that needs none."""
    if grid := cost_grid(info):
        return [tables.markdown_grid(grid)]
    return [_text(said)] if (said := fairness(info)) else []


def _text(text: str) -> str:
    return tables.escape_markdown(text, in_cell=False)


def _code(text: str, at_least: int = 1, lines: bool = False) -> str:
    """A code span or block; its fence is longer than any run of backticks inside."""
    fence = "`" * max(at_least, 1 + max(map(len, re.findall("`+", text)), default=0))
    if lines:
        return f"{fence}\n{text}\n{fence}"
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"
