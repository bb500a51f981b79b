"""Cutting a followed face out of its frames, as SyncNet was trained on: smoothed, with room below and at the sides."""

import numpy as np

from benchmarks.arrays import Floats, UInt8
from benchmarks.sync.faces import FaceTrack
from benchmarks.sync.median import median_filter
from benchmarks.sync.resize import resize

SIDE = 224
_SMOOTHED = 13  # frames
_MARGIN = 0.4
_GREY = 110


def smoothed(track: FaceTrack) -> Floats:
    """Per frame the centre (x, y) and half the longer side, in pixels [L, 3], each through a median filter of 13 frames.

    The filter takes what lies before and after the track for 0, as the published one does: near its ends it gives
    smaller values. A track of fewer than 7 frames would shrink to 0.
    """
    left, top, right, bottom = track.boxes.T
    columns = (left + right) / 2, (top + bottom) / 2, np.maximum(right - left, bottom - top) / 2
    return np.stack([median_filter(column, _SMOOTHED) for column in columns], axis=-1)


def crop(frame: UInt8, face: Floats) -> UInt8:
    """Frame [H, W, 3] and one row (x, y, s) of `smoothed` -> [224, 224, 3].

    The region is s above the centre to 1.8 s below it and 1.4 s to either side; grey where it leaves the frame.
    """
    x, y, half = face
    # The pixel borders are cut to whole numbers within a frame that has `room` more pixels on each side.
    room = int(half * (1 + 2 * _MARGIN))
    rows = _borders(y + room, half, half * (1 + 2 * _MARGIN), room)
    columns = _borders(x + room, half * (1 + _MARGIN), half * (1 + _MARGIN), room)
    region = np.full((rows[1] - rows[0], columns[1] - columns[0], 3), _GREY, dtype=np.uint8)
    height, width = frame.shape[:2]
    top, bottom = np.clip(rows, 0, height)
    left, right = np.clip(columns, 0, width)
    region[top - rows[0] : bottom - rows[0], left - columns[0] : right - columns[0]] = frame[top:bottom, left:right]
    return resize(region, SIDE, SIDE)


def _borders(centre: float, before: float, after: float, room: int) -> tuple[int, int]:
    return int(centre - before) - room, int(centre + after) - room
