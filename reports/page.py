"""The report as one self-contained HTML page: it loads nothing, runs from a file, and stays below a fixed size."""

import base64
import io
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import matplotlib.image
import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from reports.answer import answer
from reports.figures import curve_panels, delta_figure, drift_panel
from reports.foresight import forecast_curves, forecast_figure, forecast_grid
from reports.frame import PREFIX, validated
from reports.grid import further_grids, main_grids
from reports.info import ReportInfo
from reports.length import length_figure, length_table
from reports.pictures import error_figures
from reports.published import CAPTION, published_grids
from reports.sheet import Tiles, tiles
from reports.style import INK, colour, png, svg

VIDEO_BYTES = 24_000_000
"""Most bytes of video in a page, as embedded (base64)."""


def page(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, video_bytes: int = VIDEO_BYTES) -> str:
    """The HTML text. Rows of videos are embedded track after track while they fit into `video_bytes`.

    Raises:
        ValueError: a frame that `validated` refuses, an unknown published table, or frames of another shape.
    """
    frame = validated(frame, info)
    tracks = []
    for track in info.tracks:
        row = _video_row(info, track, video_bytes)
        video_bytes -= sum(len(uri) for _, uri in row.videos)
        tracks.append(_track(frame, summary, info, track) | {"video_row": row})
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
        key=[(variant, _css_colour(info, variant)) for variant in info.compared],
        published=published_grids(info.compare_to) if info.compare_to else [],
        published_caption=CAPTION,
        errors=[(name, _picture_uri(figure)) for name, figure in error_figures(info)],
        costs=[(kind, duration(seconds)) for kind, seconds in info.costs.items()],
        total=duration(sum(info.costs.values())),
    )


def duration(seconds: float) -> str:
    """For people: 3.2 s, 2 min 51 s, 1 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _track(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, track: str) -> dict[str, object]:
    drawn = curve_panels(frame, summary, track)
    panels = [_inline(drift_panel(frame, info, track, panel, lead=panel == drawn[0])) for panel in drawn]
    return {
        "name": track,
        "answer": answer(summary, info, track).replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"),
        "grids": main_grids(summary, info, track),
        "further": further_grids(summary, info, track),
        "deltas": _inline(delta_figure(summary, info, track)),
        "panels": panels,
        "prefixed": any(panel.view == PREFIX for panel in drawn),
        "length": _inline(length_figure(length_table(frame, summary, info, track), frame, info)),
        "forecast": _forecast(frame, summary, info, track),
        "sheet": _sheet(info, track),
    }


def _forecast(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, track: str) -> dict[str, object]:
    """A table, or none, and the figures that there are."""
    figures = [make(frame, summary, info, track) for make in (forecast_curves, forecast_figure)]
    return {"grid": forecast_grid(frame, summary, info, track), "figures": [_inline(one) for one in figures if one]}


def _inline(figure: Figure | None) -> Markup | None:
    # Matplotlib has escaped every text in it; the ink becomes the page's, so that figures follow its dark mode.
    return None if figure is None else Markup(svg(figure).replace(INK, "currentColor"))


def _picture_uri(figure: Figure) -> str:
    return _data_uri("image/png", png(figure))


def _css_colour(info: ReportInfo, variant: str) -> str:
    return "currentColor" if variant == info.baseline else colour(info, variant)


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


@dataclass(frozen=True)
class _VideoRow:
    """Variant and data URI of each film, their sample, or a note why there are none."""

    videos: list[tuple[str, str]]
    sample: str
    note: str


def _video_row(info: ReportInfo, track: str, budget: int) -> _VideoRow:
    """The first sample's film of every variant, all or none: half a row would compare what is not side by side."""
    films = info.videos.get(track, {})
    first = [(variant, Path(films[variant][0])) for variant in info.compared if films.get(variant)]
    paths = [(variant, path) for variant, path in first if path.is_file()]
    if not paths:
        return _VideoRow([], "", "No videos are kept for this track.")
    size = sum(4 * math.ceil(path.stat().st_size / 3) for _, path in paths)
    sample, folder = paths[0][1].stem, paths[0][1].parent
    if size > budget:
        left_out = f"{len(paths)} videos ({size / 1e6:.1f} MB) are left out to keep this page small"
        return _VideoRow([], sample, f"{left_out}; the first lies in {folder}.")
    videos = [(variant, _data_uri("video/mp4", path.read_bytes())) for variant, path in paths]
    return _VideoRow(videos, sample, "")


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _template(name: str) -> str:
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")
