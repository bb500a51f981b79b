"""The timeline that SyncNet knows: 25 frames a second, whatever the video's own rate."""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from benchmarks.arrays import UInt8
from benchmarks.films.video_file import VideoFile

FPS = 25
_LARGEST_DENOMINATOR = 1001  # of the rates in use: 30000/1001 and the like


def length(video: VideoFile) -> int:
    """How many frames the video has at 25 fps."""
    return _frames_until(video, video.frames)


def timeline(video: VideoFile, block: int) -> Iterator[tuple[UInt8, list[int]]]:
    """The video's frames at 25 fps, block by block: frames RGB uint8 [B, H, W, 3] and how often each is shown in a row.

    A slower video's frames are repeated, of a faster one some are left out; each shows the frame whose time is
    the nearest one (the earlier of two), as ffmpeg's `-r 25` does. Each frame of a block is shown at least once.

    Raises:
        ValueError: a frame cannot be decoded.
    """
    start = 0
    for frames in video.blocks(block):
        ends = [_frames_until(video, start + i) for i in range(len(frames) + 1)]
        shown = np.diff(ends)
        if shown.any():
            yield frames[shown > 0], [int(times) for times in shown if times]
        start += len(frames)


def _frames_until(video: VideoFile, number: int) -> int:
    """Frames of the timeline before the video's frame `number` begins to be shown; halves are rounded up."""
    rate = Fraction(video.fps).limit_denominator(_LARGEST_DENOMINATOR)
    return math.floor(FPS * number / rate + Fraction(1, 2))
