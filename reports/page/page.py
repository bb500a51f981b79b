"""The report as one self-contained HTML page: it loads nothing, runs from a file, and stays below a fixed size."""

import base64
import io
from importlib import resources
from pathlib import Path

import matplotlib.image
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from reports import artifacts
from reports.figures.curves import curve_panels, delta_figure, drawn_variants, drift_panel
from reports.figures.errors import error_figures
from reports.figures.forecast import forecast_curves, forecast_figure
from reports.figures.length import length_figure
from reports.figures.sheet import Tiles, tiles
from reports.figures.style import INK, PALETTE, colour, dashes, png, svg
from reports.page.films import VIDEO_BYTES, Link, film_rows
from reports.statistics.frame import PREFIX
from reports.statistics.info import ReportInfo
from reports.statistics.length import length_table
from reports.statistics.view import ReportView, TrackView
from reports.tables.answer import answer
from reports.tables.forecast_table import forecast_grid
from reports.tables.published import CAPTION, published_grids
from reports.tables.settings_table import settings_grid
from reports.tables.track_tables import further_grids, main_grids


def page(report: ReportView, link: Link, video_bytes: int = VIDEO_BYTES) -> str:
    """The HTML text. Samples' films are embedded while they fit into `video_bytes`, those of others linked.

    Raises:
        ValueError: an unknown published table, or frames of another shape.
    """
    info = report.info
    films = film_rows(info, link, video_bytes)
    tracks = [_track(view) | {"films": films[view.track]} for view in report.tracks]
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        info=info,
        tracks=tracks,
        published=[grid for name in info.compare_to for grid in published_grids(name)],
        settings=settings_grid(info),
        published_caption=CAPTION,
        errors=[(name, _picture_uri(figure)) for name, figure in error_figures(info)],
        inks=[(f"--c{index}", *pair) for index, pair in enumerate(PALETTE.items())],
        beside=(artifacts.RESULTS, artifacts.SUMMARY),
    )


def _track(view: TrackView) -> dict[str, object]:
    info, drawn = view.info, curve_panels(view)
    names = drawn_variants(view, drawn[0]) if drawn else []
    panels = [_inline(drift_panel(view, panel, names, lead=panel == drawn[0])) for panel in drawn]
    return {
        "name": view.track,
        "answer": answer(view),
        "grids": main_grids(view),
        "further": further_grids(view),
        "deltas": _inline(delta_figure(view)),
        "panels": panels,
        "key": [(variant, _css_colour(colour(variant)), _dash_array(info, variant)) for variant in names],
        "prefixed": any(panel.view == PREFIX for panel in drawn),
        "length": _inline(length_figure(view, length_table(view))),
        "forecast": _forecast(view),
        "sheet": _sheet(info, view.track),
    }


def _forecast(view: TrackView) -> dict[str, object]:
    """A table, or none, and the figures that there are."""
    figures = [make(view) for make in (forecast_curves, forecast_figure)]
    return {"grid": forecast_grid(view), "figures": [_inline(one) for one in figures if one]}


def _inline(figure: Figure | None) -> Markup | None:
    """The figure with the page's own colours, so that it follows the reader's dark mode."""
    if figure is None:
        return None
    drawn = svg(figure).replace(INK, "currentColor")
    for ink in PALETTE:
        drawn = drawn.replace(ink, _css_colour(ink))
    return Markup(drawn)  # Matplotlib has escaped every text in it


def _picture_uri(figure: Figure) -> str:
    return _data_uri("image/png", png(figure))


def _css_colour(ink: str) -> str:
    """A colour of figures as the style sheet calls it."""
    return "currentColor" if ink == INK else f"var(--c{list(PALETTE).index(ink)})"


def _dash_array(info: ReportInfo, variant: str) -> str:
    """For a line two pixels wide: as in figures, lengths are in widths of the line."""
    style = dashes(info, variant)
    return "none" if isinstance(style, str) else " ".join(f"{2 * length:g}" for length in style[1])


def _sheet(info: ReportInfo, track: str) -> dict[str, object]:
    rows: list[tuple[str, list[str]]] = []
    times: list[str] = []
    for variant in info.compared:
        if path := info.frames.get(track, {}).get(variant):
            images, numbers = tiles(Path(path))
            times = [f"{number / info.fps:.1f} s" for number in numbers]
            rows.append((variant, [_image_uri(image) for image in images]))
    return {"rows": rows, "times": times}


def _image_uri(image: Tiles) -> str:
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, image, format="png", metadata={"Software": ""})
    return _data_uri("image/png", buffer.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _template(name: str) -> str:
    return (resources.files("reports.page") / "templates" / name).read_text(encoding="utf-8")
