"""An open video: frames at a rate and of a size, in any order."""

from pathlib import Path

import numpy as np

from svi.data.open_video import OpenVideo, fit_frames
from svi.settings import DataSettings
from tests.svi.data.videos import levels, make_video

SETTINGS = DataSettings(height=16, width=24, fps=8)


def test_frames_are_taken_at_the_settings_rate_in_any_order(tmp_path: Path) -> None:
    video = OpenVideo(make_video(tmp_path / "a.mp4"), SETTINGS)
    assert len(video) == 24
    frames = video.frames(range(24))
    assert frames.shape == (24, 16, 24, 3)
    assert np.abs(levels(frames) - np.linspace(0, 250, 48)[::2]).max() < 4
    again = OpenVideo(tmp_path / "a.mp4", SETTINGS)
    jumps = [20, 3, 3, 11, 0, 23]
    assert (again.frames(jumps) == frames[jumps]).all()


def test_crop_keeps_the_middle() -> None:
    frames = np.zeros((1, 10, 40, 3), np.uint8)
    frames[:, :, 10:30] = 200
    assert (fit_frames(frames, 10, 20) == 200).all()
