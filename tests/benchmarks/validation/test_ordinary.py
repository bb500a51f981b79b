from pathlib import Path

import numpy as np

from benchmarks.films.mp4 import Mp4Frames
from benchmarks.validation.ordinary import coded, ordinary, write_mp4
from tests.benchmarks.validation.conftest import Discs


def test_ordinary_differences_are_small_and_each_film_has_its_own(discs: Discs) -> None:
    frames = discs.film(0).frames[:]
    one, again, other = (ordinary(frames, 8, seed) for seed in ((0, 1), (0, 1), (0, 2)))
    assert (one == again).all()
    assert (one != other).any()
    assert 0.5 < np.abs(one.astype(int) - frames).mean() < 6


def test_the_encoder_keeps_every_frame_and_loses_a_little(discs: Discs) -> None:
    frames = ordinary(discs.film(0).frames[:], 8, (0, 0))
    found = coded(frames, 8)
    error = np.mean((found.astype(float) - frames) ** 2)
    assert found.shape == frames.shape
    assert 0 < error < 30  # above 33 dB, with a background of pure noise


def test_a_video_is_enlarged_and_whole(discs: Discs, tmp_path: Path) -> None:
    frames = np.full((5, 16, 16, 3), 99, np.uint8)
    write_mp4(tmp_path / "film.mp4", frames, 8)
    found = Mp4Frames(tmp_path / "film.mp4")
    assert found.shape == (5, 128, 128, 3)
    assert np.abs(found[0:5].astype(int) - 99).max() <= 2
