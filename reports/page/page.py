"""The report as one self-contained HTML page: it loads nothing, runs from a file, and stays below a fixed size."""

from collections.abc import Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup
from matplotlib.figure import Figure

from reports import artifacts
from reports.figures.curves import curve_panels, delta_figure, drift_panel, shown_variants
from reports.figures.errors import error_figures
from reports.figures.forecast import forecast_curves, forecast_figure
from reports.figures.length import length_figure
from reports.figures.sheet import TRUE, sheet_rows
from reports.figures.style import INK, LABELLED, PALETTE, colour, dashes, png, svg
from reports.page.data_uri import data_uri, image_uri
from reports.page.films import ENLARGED, VIDEO_BYTES, Link, film_rows
from reports.page.opening import facts, strip, variant_lines
from reports.page.signals import COLUMNS, HEIGHT
from reports.statistics.bootstrap import FEWEST
from reports.statistics.frame import PREFIX
from reports.statistics.info import ReportInfo
from reports.statistics.length import length_table
from reports.statistics.view import ReportView, TrackView
from reports.tables.answer import answer
from reports.tables.cost_table import cost_grid, fairness
from reports.tables.forecast_table import forecast_grid
from reports.tables.owners import owners_grids
from reports.tables.published import CAPTION, published_grids
from reports.tables.settings_table import settings_grid
from reports.tables.text import track_grids
from reports.tables.track_tables import further_grids
from reports.tables.verdict import verdict


def page(report: ReportView, link: Link, video_bytes: int = VIDEO_BYTES) -> str:
    """The HTML text. Samples' films are embedded while they fit into `video_bytes`, those of others linked.

    Raises:
        ValueError: an unknown published table, or frames of another shape.
    """
    info = report.info
    shown = {name for view in report.tracks for name in shown_variants(view)}
    films = film_rows(info, link, video_bytes, [name for name in info.compared if name in shown])
    tracks = [_track(view) | {"films": films[view.track]} for view in report.tracks]
    return template("page.html.j2").render(
        info=info,
        verdict=verdict(report),
        facts=facts(info, report.tracks),
        strip=[strip(view, films[view.track]) for view in report.tracks[:1]],
        variants=[(name, _css_colour(colour(name)), *rest) for name, *rest in variant_lines(info)],
        tracks=tracks,
        published=[grid for name in info.compare_to for grid in published_grids(name)],
        settings=settings_grid(info),
        spent=cost_grid(info),
        fairness=fairness(info),
        published_caption=CAPTION,
        errors=[(name, _picture_uri(figure)) for name, figure in error_figures(info)],
        beside=(artifacts.RESULTS, artifacts.SUMMARY),
    )


@cache
def template(name: str) -> Template:
    """A page's template, compiled once a process; all have the style sheet's colours."""
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    inks = [(f"--c{index}", *pair) for index, pair in enumerate(PALETTE.items())]
    about = {"inks": inks, "true_film": TRUE, "columns": COLUMNS, "height": HEIGHT}
    return environment.get_template(name, globals=about)


def _track(view: TrackView) -> dict[str, object]:
    info, drawn, names = view.info, curve_panels(view), shown_variants(view)
    panels = [inline(drift_panel(view, panel, names, lead=panel == drawn[0])) for panel in drawn]
    return {
        "name": view.track,
        "answer": answer(view),
        "grids": track_grids(view),
        "further": [*further_grids(view), *owners_grids(view)],
        "deltas": inline(delta_figure(view)),
        "panels": panels,
        "bands": len(info.compared) <= LABELLED and view.scored["sample"].nunique() * len(info.seeds) >= FEWEST,
        "key": [(variant, _css_colour(colour(variant)), _dash_array(info, variant)) for variant in names],
        "prefixed": any(panel.view == PREFIX for panel in drawn),
        "length": inline(length_figure(view, length_table(view))),
        "forecast": _forecast(view),
        "sheet": _sheet(view, names),
    }


def _forecast(view: TrackView) -> dict[str, object]:
    """A table, or none, and the figures that there are."""
    figures = [make(view) for make in (forecast_curves, forecast_figure)]
    return {"grid": forecast_grid(view), "figures": [inline(one) for one in figures if one]}


def inline(figure: Figure | None) -> Markup | None:
    """The figure with the page's own colours, so that it follows the reader's dark mode."""
    if figure is None:
        return None
    drawn = svg(figure).replace(INK, "currentColor")
    for ink in PALETTE:
        drawn = drawn.replace(ink, _css_colour(ink))
    return Markup(drawn)  # Matplotlib has escaped every text in it


def _picture_uri(figure: Figure) -> str:
    return data_uri("image/png", png(figure))


def _css_colour(ink: str) -> str:
    """A colour of figures as the style sheet calls it."""
    return "currentColor" if ink == INK else f"var(--c{list(PALETTE).index(ink)})"


def _dash_array(info: ReportInfo, variant: str) -> str:
    """For a line two pixels wide: as in figures, lengths are in widths of the line."""
    style = dashes(info, variant)
    return "none" if isinstance(style, str) else " ".join(f"{2 * length:g}" for length in style[1])


def _sheet(view: TrackView, names: Sequence[str]) -> dict[str, object]:
    rows = sheet_rows(view.info, view.track, names)
    numbers = max((numbers for _, numbers in rows.values()), key=len, default=[])
    return {
        "rows": [(name, [image_uri(image) for image in images]) for name, (images, _) in rows.items()],
        "times": [f"{number / view.info.fps:.1f} s" for number in numbers],
        "small": any(images.shape[2] < ENLARGED for images, _ in rows.values()),
    }


def _template(name: str) -> str:
    return (resources.files("reports.page") / "templates" / name).read_text(encoding="utf-8")
