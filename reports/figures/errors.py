"""Sheets of decoded errors: named rows and columns of pictures, as a stage wrote them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from reports.figures.sheet import resized
from reports.figures.style import figure_style
from reports.statistics.info import ReportInfo

SHEETS = {
    "own": "errors of one step from a clean clip, before and after training",
    "injected": "errors of the bank, injected into a condition",
}
"""What the files are that a folder of `ReportInfo.errors` may hold: NAME.npz with `rows`, `columns`, `pictures`."""


def error_figures(info: ReportInfo) -> Iterator[tuple[str, Figure]]:
    """Name and figure of every sheet of every variant that has some."""
    for variant, folder in info.errors.items():
        for name, about in SHEETS.items():
            if (file := Path(folder) / f"{name}.npz").is_file():
                yield f"errors-{name}-{variant}", picture_sheet(file, f"{info.experiment} · {variant} · {about}")


def picture_sheet(file: Path, title: str) -> Figure:
    """Pictures uint8 [rows, columns, H, W, 3] with their names.

    Raises:
        ValueError: pictures of another shape or type.
    """
    with np.load(file) as sheet:
        rows, columns, pictures = sheet["rows"].tolist(), sheet["columns"].tolist(), sheet["pictures"]
    if pictures.dtype != np.uint8 or pictures.ndim != 5 or pictures.shape[:2] != (len(rows), len(columns)):
        received = f"{pictures.dtype} {list(pictures.shape)}"
        raise ValueError(f"{file}: received {received}, expected uint8 [{len(rows)}, {len(columns)}, H, W, 3]")
    with figure_style():
        figure = Figure(figsize=(9.6, 0.7 + 1.25 * len(rows)), layout="constrained")
        axes = figure.subplots(len(rows), len(columns), squeeze=False)
        for line, row, images in zip(axes, rows, pictures, strict=True):
            for panel, image, column in zip(line, resized(images), columns, strict=True):
                panel.set(xticks=[], yticks=[])
                panel.spines[:].set_visible(False)
                panel.imshow(image, interpolation="nearest")
                if row == rows[0]:
                    panel.set_title(column, loc="center", fontsize=7.5)
            line[0].set_ylabel(row, rotation=0, ha="right", va="center")
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure
