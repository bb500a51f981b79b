"""Writes a report: one folder with the page, the tables, the figures and the numbers behind them."""

import re
import zlib
from pathlib import Path

import pandas as pd

from reports.figures.curves import delta_figure, drift_figure
from reports.figures.errors import error_figures
from reports.figures.forecast import forecast_curves, forecast_figure, forecast_grid
from reports.figures.length import length_figure, length_table
from reports.figures.sheet import sheet_figure
from reports.figures.style import png, svg
from reports.page.films import Link
from reports.page.page import duration, page
from reports.statistics.frame import validated
from reports.statistics.info import ReportInfo
from reports.statistics.summary import summarise
from reports.tables import text as tables
from reports.tables.settings_table import settings_grid

REPRODUCE = "reproduce.txt"


def write_report(frame: pd.DataFrame, info: ReportInfo, folder: Path, link: Link) -> None:
    """Write into `folder`: table.md (for a terminal), report.md, report.html, report.tex, results.csv, summary.csv, reproduce.txt
    and figures/.

    `link` says where the page finds films that are too large for it.

    Raises:
        ValueError: a frame that `validated` refuses, an unknown published table, or frames.npy of another shape.
    """
    frame = validated(frame, info)
    summary = summarise(frame, info)
    figures = _write_figures(frame, summary, info, folder / "figures")
    for name, text in (
        ("results.csv", tables.csv(frame)),
        ("summary.csv", tables.csv(summary)),
        ("report.tex", tables.latex(summary, info)),
        ("table.md", tables.markdown(summary, info)),
        ("report.md", _markdown(frame, summary, info, figures)),
        (REPRODUCE, f"{info.reproduce}\n"),
        ("report.html", page(frame, summary, info, link)),
    ):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _write_figures(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, folder: Path) -> list[str]:
    """Write every figure as PNG, the drift curves as SVG and quality against length as numbers too; the names of the PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for track in info.tracks:
        drift = drift_figure(frame, summary, info, track)
        lengths = length_table(frame, summary, info, track)
        drawn = {
            "drift": drift,
            "length": length_figure(lengths, frame, info),
            "deltas": delta_figure(summary, info, track),
            "forecast": forecast_figure(frame, summary, info, track),
            "forecast-curves": forecast_curves(frame, summary, info, track),
            "sheet": sheet_figure(info, track),
        }
        for kind, figure in drawn.items():
            if figure is not None:
                names.append(f"{kind}-{_file_name(track)}.png")
                (folder / names[-1]).write_bytes(png(figure))
        if len(lengths):
            csv = tables.csv(lengths)
            (folder / f"length-{_file_name(track)}.csv").write_text(csv, encoding="utf-8", newline="\n")
        if drift is not None:
            (folder / f"drift-{_file_name(track)}.svg").write_text(svg(drift), encoding="utf-8", newline="\n")
    for name, figure in error_figures(info):
        names.append(f"{_file_name(name)}.png")
        (folder / names[-1]).write_bytes(png(figure))
    return names


def _file_name(name: str) -> str:
    """The name of a track or a picture, or what is left of it in a file's name, with a check sum so that no two are the same."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name)
    return name if name == plain else f"{plain}-{zlib.crc32(name.encode()):08x}"


def _markdown(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, figures: list[str]) -> str:
    settings = settings_grid(info)
    costs = [f"- {_text(kind)}: {duration(seconds)}" for kind, seconds in info.costs.items()]
    provenance = [f"- {_text(name)}: {_text(value)}" for name, value in info.provenance.items()]
    about = f"Profile {info.profile}, backbone {info.backbone}, seeds {', '.join(map(str, info.seeds))}."
    sections = [
        f"# {_text(info.experiment)}\n\n{_text(info.question)}",
        _text(about),
        tables.markdown(summary, info).rstrip(),
        f"## What these numbers may claim\n\n{_text(info.caption)}",
        f"## Further measures\n\n{tables.markdown_further(summary, info)}".rstrip(),
        *_forecasts(frame, summary, info),
        "## Figures\n\n" + "\n\n".join(f"![{name.removesuffix('.png')}](figures/{name})" for name in figures),
        *([f"## Settings\n\n{tables.markdown_grid(settings)}".rstrip()] if settings else []),
        "## Costs\n\n" + "\n".join(costs),
        "## Provenance\n\n" + "\n".join(provenance),
        f"## Reproduce\n\n{_code(info.reproduce, at_least=3, lines=True)}",
    ]
    return "\n\n".join(sections) + "\n"


def _forecasts(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo) -> list[str]:
    grids = [grid for track in info.tracks if (grid := forecast_grid(frame, summary, info, track))]
    return ["## Forecast from one clip", *map(tables.markdown_grid, grids)] if grids else []


def _text(text: str) -> str:
    return tables.escape_markdown(text, in_cell=False)


def _code(text: str, at_least: int = 1, lines: bool = False) -> str:
    """A code span or block; its fence is longer than any run of backticks inside."""
    fence = "`" * max(at_least, 1 + max(map(len, re.findall("`+", text)), default=0))
    if lines:
        return f"{fence}\n{text}\n{fence}"
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{' '.join(text.split())}{space}{fence}"
