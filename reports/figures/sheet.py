"""Contact sheets: one sample of every variant at evenly spaced times, from the lossless frames, or from its video."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from reports.figures.style import figure_style
from reports.statistics.info import ReportInfo

COLUMNS = 8
TRUE, START = "true film", "start image"
"""Names beside those of variants, which have no space: what a film should have become where its world is known, else its start."""
UNTRAINED = "base"  # what an experiment calls it that has it
_LARGEST = 240  # pixels of a tile's width

Pixels = npt.NDArray[np.uint8]


def tiles(path: Path, sample: int = 0, count: int = COLUMNS) -> tuple[Pixels, list[int]]:
    """Pixels uint8 [count, h, w, 3] and their frame numbers, from the first to the last of one film; of one, the first.

    `path` is a `frames.npy` with its sample, or the film's mp4. Large frames are averaged down.

    Raises:
        ValueError: the file does not hold films uint8 [S, F, H, W, 3], or has no such sample.
    """
    if path.suffix == ".mp4":
        import decord

        reader = decord.VideoReader(str(path), num_threads=1)
        numbers = _spread(len(reader), count)
        return resized(reader.get_batch(numbers).asnumpy()), numbers
    films = np.load(path, mmap_mode="r")
    if films.ndim != 5 or films.shape[-1] != 3 or films.dtype != np.uint8 or not 0 <= sample < len(films):
        received = f"{films.dtype} {list(films.shape)}"
        raise ValueError(f"{path}: received {received}, expected uint8 [S, F, H, W, 3] with a sample {sample}")
    film = films[sample]
    numbers = _spread(len(film), count)
    return resized(np.asarray(film[numbers])), numbers


def _spread(frames: int, count: int) -> list[int]:
    return [int(number) for number in np.linspace(0, frames - 1, min(count, frames)).round()]


def sheet_rows(
    info: ReportInfo, track: str, variants: Sequence[str], count: int = COLUMNS
) -> dict[str, tuple[Pixels, list[int]]]:
    """Name -> `tiles` of the first sample, `count` at most: what the film should have become, or else its start image, then these
    variants."""
    frames, truth = info.frames.get(track, {}), info.truth.get(track)
    rows = {}
    if truth is not None:
        rows[TRUE] = tiles(Path(truth), count=count)
    elif info.still is not None and info.still in frames:
        rows[START] = tiles(Path(frames[info.still]), count=1)
    return rows | {name: tiles(Path(path), count=count) for name in variants if (path := frames.get(name))}


def sheet_figure(info: ReportInfo, track: str, variants: Sequence[str]) -> Figure | None:
    """`sheet_rows` with times above; None where no frames are kept."""
    rows = sheet_rows(info, track, variants)
    if not rows:
        return None
    with figure_style():
        figure = Figure(figsize=(9.6, 0.45 + 1.05 * len(rows)), layout="constrained")
        axes = figure.subplots(len(rows), COLUMNS, squeeze=False)
        for index, (variant, (images, numbers)) in enumerate(rows.items()):
            line = axes[index]
            for panel in line:
                panel.set(xticks=[], yticks=[])
                panel.spines[:].set_visible(False)
            line[0].set_ylabel(variant, rotation=0, ha="right", va="center")
            for panel, image in zip(line, images, strict=False):
                panel.imshow(image, interpolation="nearest")
            if len(numbers) > 1 or len(rows) == 1:
                for panel, number in zip(axes[0], numbers, strict=False):
                    panel.set_title(f"{number / info.fps:.1f} s", loc="center")
    return figure


def resized(images: Pixels, width: int = _LARGEST) -> Pixels:
    """Pictures uint8 [n, h, w, 3], those that are wider averaged down to at most that width."""
    factor = math.ceil(images.shape[2] / width)
    if factor == 1:
        return images
    high, wide = (size // factor * factor for size in images.shape[1:3])
    blocks = images[:, :high, :wide].reshape(len(images), high // factor, factor, wide // factor, factor, 3)
    return np.asarray(blocks.mean(axis=(2, 4)).round().astype(np.uint8))
