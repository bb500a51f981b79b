"""Writes a report: one folder with the page, the tables, the figures and the numbers behind them."""

from pathlib import Path

import pandas as pd

from reports import tables
from reports.figures import delta_figure, drift_figure, forecast_figure
from reports.frame import validated
from reports.info import ReportInfo
from reports.page import duration, page
from reports.sheet import sheet_figure
from reports.style import png, svg
from reports.summary import summarise


def write_report(frame: pd.DataFrame, info: ReportInfo, folder: Path) -> None:
    """Write table.md (for a terminal), report.md, report.html, report.tex, results.csv, summary.csv and figures/ into `folder`.

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
        ("report.md", _markdown(summary, info, figures)),
        ("report.html", page(frame, summary, info)),
    ):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _write_figures(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, folder: Path) -> list[str]:
    """Write every figure as PNG, the drift curves as SVG too; the names of the PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for track in info.tracks:
        drift = drift_figure(frame, summary, info, track)
        drawn = {
            "drift": drift,
            "deltas": delta_figure(summary, info, track),
            "forecast": forecast_figure(summary, info, track),
            "sheet": sheet_figure(info, track),
        }
        for kind, figure in drawn.items():
            if figure is not None:
                names.append(f"{kind}-{track}.png")
                (folder / names[-1]).write_bytes(png(figure))
        if drift is not None:
            (folder / f"drift-{track}.svg").write_text(svg(drift), encoding="utf-8", newline="\n")
    return names


def _markdown(summary: pd.DataFrame, info: ReportInfo, figures: list[str]) -> str:
    settings = [f"- {variant}: {_settings(info, variant)}" for variant in info.variants]
    costs = [f"- {kind}: {duration(seconds)}" for kind, seconds in info.costs.items()]
    provenance = [f"- {name}: {value}" for name, value in info.provenance.items()]
    sections = [
        f"# {info.experiment}\n\n{info.question}",
        f"Profile {info.profile}, backbone {info.backbone}, seeds {', '.join(map(str, info.seeds))}.",
        tables.markdown(summary, info).rstrip(),
        f"## What these numbers may claim\n\n{info.caption}",
        f"## Further measures\n\n{tables.markdown_further(summary, info)}".rstrip(),
        "## Figures\n\n" + "\n\n".join(f"![{name.removesuffix('.png')}](figures/{name})" for name in figures),
        "## Settings of the variants\n\n" + "\n".join(settings),
        "## Costs\n\n" + "\n".join(costs),
        "## Provenance\n\n" + "\n".join(provenance),
        f"## Reproduce\n\n```\n{info.reproduce}\n```",
    ]
    return "\n\n".join(sections) + "\n"


def _settings(info: ReportInfo, variant: str) -> str:
    settings = info.variants[variant]
    return ", ".join(f"`{key} = {value}`" for key, value in settings.items()) or "the recipe as it stands"
