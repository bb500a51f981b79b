"""Faces followed through a video: boxes of single frames joined into tracks, by the rules of syncnet_python.

Boxes are (left, top, right, bottom) in pixels. A face continues the track whose last box it overlaps by an IoU above
1/2, at most 25 frames later; the boxes of missed frames are interpolated. A track ends with its shot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.arrays import Floats

MOST_FRAMES_BETWEEN = 25
LEAST_OVERLAP = 0.5
LEAST_SIZE = 100.0  # pixels
MIN_TRACK = 100


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """One face: its boxes [L, 4] in the frames from `start` on, found in `found` of them and interpolated in the rest."""

    start: int
    boxes: Floats
    found: int

    @property
    def end(self) -> int:
        """The frame after the last."""
        return self.start + len(self.boxes)

    @property
    def size(self) -> float:
        """Pixels: the larger of mean width and mean height."""
        left, top, right, bottom = self.boxes.T
        return float(max((right - left).mean(), (bottom - top).mean()))


def follow(faces: Sequence[Floats], shots: Sequence[slice]) -> list[FaceTrack]:
    """Every face's track, however short, shot by shot; within a shot in the order in which the faces appear.

    `faces` are each frame's boxes [N, 4], the surest first.
    """
    tracks = []
    for shot in shots:
        left = [list(boxes) for boxes in faces[shot]]
        for first in range(len(left)):
            while left[first]:
                tracks.append(_track(left, first, shot.start))
    return tracks


def why_unusable(tracks: Sequence[FaceTrack], min_track: int) -> str:
    """Why none of `tracks`, which may be none at all, can be scored; "" if one can."""
    if not tracks:
        return "no face was found in any frame"
    long = [track for track in tracks if track.found > min_track]
    if not long:
        longest = max(track.found for track in tracks)
        return f"no face was found in more than {min_track} frames of a shot (the longest track has {longest})"
    if not usable(tracks, min_track):
        largest = max(track.size for track in long)
        return f"no face that lasts is larger than {LEAST_SIZE:.0f} pixels (the largest is {largest:.0f})"
    return ""


def usable(tracks: Sequence[FaceTrack], min_track: int) -> list[FaceTrack]:
    """Tracks of faces found in more than `min_track` frames and larger than 100 pixels."""
    return [track for track in tracks if track.found > min_track and track.size > LEAST_SIZE]


def overlap(box: Floats, other: Floats) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    common = np.prod(np.maximum(sides, 0))
    areas = np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2])
    return float(common / (areas - common))


def _track(left: list[list[Floats]], first: int, offset: int) -> FaceTrack:
    """Take the first face of frame `first` out of `left`, and all that continue it."""
    numbers, boxes = [first], [left[first].pop(0)]
    for number in range(first + 1, len(left)):
        if number - numbers[-1] > MOST_FRAMES_BETWEEN:
            break
        found = next((i for i, box in enumerate(left[number]) if overlap(box, boxes[-1]) > LEAST_OVERLAP), None)
        if found is not None:
            numbers.append(number)
            boxes.append(left[number].pop(found))
    every = np.arange(numbers[0], numbers[-1] + 1)
    columns = [np.interp(every, numbers, column) for column in np.stack(boxes).T]
    return FaceTrack(offset + first, np.stack(columns, axis=-1), found=len(numbers))
