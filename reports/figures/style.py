"""How figures look: one colour a variant everywhere, plain axes, the same bytes for the same numbers."""

import io
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import offset_copy

from reports.statistics.info import ReportInfo

INK = "#22262b"
"""Of text, axes and `full`. The page replaces it by its own text colour."""
MUTED = "#676e76"
PALETTE = {
    "#b84a00": "#ff9a5c",
    "#0067b0": "#6bb8f2",
    "#00785a": "#3fcf9f",
    "#b0417f": "#ee9cc8",
    "#8a6300": "#e3b341",
    "#6a4fb8": "#b9a5f7",
    "#b8283c": "#f58a96",
    "#5f6f00": "#b9c94c",
    "#0b7484": "#52c7d8",
    MUTED: "#a0a5ab",
}
"""Every colour of a figure but its ink, and what the page makes of it for readers in the dark: either can be read as small text
(a contrast of 4.5 at least, WCAG AA)."""
_COLOURS = tuple(PALETTE)[:-1]
_FIXED = {
    "full": INK,
    **dict(zip(("base", "lora_only", "no_e_img", "no_e_vid", "no_e_noi"), _COLOURS, strict=False)),
    **dict.fromkeys(("copy_image", "copy_clips", "ping_pong", "recode"), MUTED),
}
_SALT = 88  # of the check sum: with it the built-in experiments' names share the fewest colours
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (10, 3)), (0, (5, 2, 1, 2, 1, 2)), (0, (1, 4)))
LABELLED = 12
"""Most variants that a figure can name."""
PANELS_A_ROW = 3
_LABEL_INCHES = 0.17
_PARAMETERS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": MUTED,
    "grid.alpha": 0.22,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.4,
    "svg.fonttype": "none",
    "svg.hashsalt": "reports",
}


@contextmanager
def figure_style() -> Iterator[None]:
    """The style of every figure, in effect for drawing and for saving."""
    with mpl.rc_context(_PARAMETERS):
        yield


def colour(variant: str) -> str:
    """The variant's colour, which follows from its name alone: it is the same in every report."""
    name = variant.rpartition("/")[2]  # of a comparison's EXPERIMENT/VARIANT
    return _FIXED.get(name) or _COLOURS[zlib.crc32(name.encode(), _SALT) % len(_COLOURS)]


def dashes(info: ReportInfo, variant: str) -> str | tuple[float, tuple[float, ...]]:
    """The variant's line style: solid for the first of its colour in a report."""
    alike = [name for name in info.rows if colour(name) == colour(variant)]
    return _DASHES[alike.index(variant) % len(_DASHES)]


def panel_grid(count: int) -> tuple[Figure, list[SubplotSpec]]:
    """A figure with room for so many panels: the first as wide as it, the others small, below."""
    below = math.ceil((count - 1) / PANELS_A_ROW)
    figure = Figure(figsize=(9.6, 3.5 + 2.1 * below), layout="constrained")
    grid = figure.add_gridspec(1 + below, PANELS_A_ROW, height_ratios=[3.4, *[2.0] * below])
    small = [divmod(index, PANELS_A_ROW) for index in range(count - 1)]
    return figure, [grid[0, :], *(grid[1 + row, column] for row, column in small)]


def svg(figure: Figure) -> str:
    """The figure as one <svg> element, without a background, its text as text."""
    with figure_style():
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def png(figure: Figure) -> bytes:
    """The figure on white at 160 dots an inch."""
    with figure_style():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def spread(values: list[float], gap: float) -> list[float]:
    """Positions near `values`, in their order, at least `gap` apart: labels that do not overlap."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    groups: list[tuple[float, list[int]]] = []
    for index in order:
        groups.append((values[index], [index]))
        # Two neighbouring stacks that touch become one, centred on the mean of what they label.
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < gap * (len(groups[-1][1]) + len(groups[-2][1])) / 2:
            (_, upper), (_, lower) = groups.pop(), groups.pop()
            members = lower + upper
            groups.append((sum(values[member] for member in members) / len(members), members))
    placed = [0.0] * len(values)
    for centre, members in groups:
        for rank, member in enumerate(members):
            placed[member] = centre + gap * (rank - (len(members) - 1) / 2)
    return placed


def evenly(names: Sequence[str], count: int = LABELLED) -> list[str]:
    """At most `count` of the names, spread evenly over their order, the first and the last among them."""
    indices = np.linspace(0, len(names) - 1, min(len(names), count)).round()
    return [names[int(index)] for index in indices]


def label_logarithmic(axis: Axis) -> None:
    """Label a logarithmic axis 0.1, 0.2, 0.5, 1: matplotlib's own labels are mathematics, which no figure here parses."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def label_points(axes: Axes, points: Mapping[str, tuple[float, float]], info: ReportInfo) -> None:
    """Names points (variant -> x, y) at their right, apart from each other and from the points of the same height."""
    figure = axes.figure
    assert isinstance(figure, Figure)  # no part of one
    figure.draw_without_rendering()  # lays the panels out: only then is a panel's height known
    low, high = axes.get_ylim()
    gap = (high - low) * _LABEL_INCHES / (figure.get_figheight() * axes.get_position().height)
    heights = spread([y for _, y in points.values()], gap)
    beside = offset_copy(axes.transData, figure, x=16, units="points")
    for (variant, point), height in zip(points.items(), heights, strict=True):
        # To the right of every point that the text could cover.
        x = max(other[0] for other in points.values() if abs(other[1] - height) < gap or other == point)
        ink = colour(variant)
        leader = {"arrowstyle": "-", "color": ink, "lw": 0.6, "alpha": 0.6, "shrinkA": 1, "shrinkB": 2}
        axes.annotate(
            variant, point, xytext=(x, height), textcoords=beside, va="center", color=ink, annotation_clip=False,
            arrowprops=leader,
        )  # fmt: skip
