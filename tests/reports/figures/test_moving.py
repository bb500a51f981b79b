"""Films side by side: which, in which order, and what each picture of the animation shows."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from reports.figures.moving import A_SECOND, FRAMES, side_by_side
from reports.statistics.view import TrackView
from tests.reports.report_frames import study_view


def film(file: Path, level: int, length: int = 400) -> str:
    """Grows brighter from 0 to this level; its first pixel is white."""
    frames = np.zeros((1, length, 16, 16, 3), np.uint8)
    frames[0] += np.linspace(0, level, length).astype(np.uint8)[:, None, None, None]
    frames[:, :, 0, 0] = 255
    np.save(file, frames)
    return str(file)


def shown(folder: Path, names: list[str], truth: bool = True) -> TrackView:
    view = study_view()
    frames = {name: film(folder / f"{name}.npy", 40 * (i + 1)) for i, name in enumerate(names)}
    known = {view.track: film(folder / "true.npy", 200)} if truth else {}
    return replace(
        view, info=replace(view.info, frames={view.track: frames}, truth=known, yes_if=("no_e_img", "worse"))
    )


def pictures(content: bytes | None) -> tuple[list[np.ndarray], int]:
    """All of them, and how many milliseconds they last: what hardly changes is one picture that lasts longer."""
    assert content is not None
    image, found, lasts = Image.open(io.BytesIO(content)), [], 0
    for index in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(index)
        found.append(np.asarray(image.convert("RGB")).astype(int))
        lasts += image.info["duration"]
    return found, lasts


def test_the_untrained_model_what_decides_the_baseline_and_the_truth(tmp_path: Path) -> None:
    view = shown(tmp_path, [*study_view().info.variants])
    moving, lasts = pictures(side_by_side(view))
    assert lasts == FRAMES * (1000 // A_SECOND)
    first, last = moving[0], moving[-1]
    assert first.shape == (160 + 44, 4 * 160 + 5 * 12, 3)
    middles = [last[22 + 80, 12 + 80 + i * 172].mean() for i in range(4)]
    levels = {name: 40 * (i + 1) for i, name in enumerate(view.info.variants)} | {"true": 200}
    np.testing.assert_allclose(middles, [levels[name] for name in ("base", "no_e_img", "full", "true")], atol=4)
    assert first[22 + 80, 12 + 80].mean() < 4
    assert first[22 + 3, 12 + 3].mean() > 200  # a pixel is a square of ten, not smeared


def test_one_film_alone_is_no_comparison(tmp_path: Path) -> None:
    assert side_by_side(shown(tmp_path, ["full"], truth=False)) is None
    assert side_by_side(study_view()) is None
