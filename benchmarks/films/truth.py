"""What is known of a film's world: the scene without its objects, each object anywhere in it, and where they should be.

The world is a torus: what leaves the frame on one side comes back on the other. Shapes: F frames, K objects, P places on a grid,
S steps a pixel, H x W pixels. Places are (x, y) in pixels from the frame's upper left corner, y down.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.arrays import Array, Singles

OBJECTS = ("object_renders", "object_masks")
STAMPS = "object_stamps"
NEEDED = {
    "course": (STAMPS, "places", "velocities"),
    "loudness": ("loudness", "object_sizes", "object_distances"),
    "pose": ("joints", "part_colours", "part_masks"),
}  # a scorer's need -> what must be known for it
FOLLOWED = {"loudness", "joints"}  # of films that follow a signal, whose objects have no course


@dataclass(frozen=True, eq=False)
class Truth:
    """The true scene: background uint8 [H, W, 3]; with one object alone at each grid place, object_renders [K, P, H, W, 3] in
    0..1; object_masks [K, P, H, W], the object's coverage of each pixel, 0..1. One object may come without K. A later object is
    in front of an earlier one.

    Where objects move: object_stamps [K, S, S, H, W, 4], in [k, a, b] colour and coverage in 0..1 of object k with its centre
    a / S pixels below the frame's corner and b / S right of it, which look the same everywhere; grid [P, 2], the place of each
    render; places [F, K, 2], where each object should be; velocities [F, K, 2], how many pixels it should move until the next
    frame, by the prompt of this one.

    Of a film that follows a sound: loudness [F] in 0..1, and of each grid place object_sizes [P], the object's size, and
    object_distances [P], how many pixels it is from the object's true place. Of one that follows a skeleton: joints [F, J, 2],
    the true (x, y) of each part in pixels; part_colours [J, 3] in 0..1; and part_masks [J, S, S, H, W], as the stamps' coverage.
    """

    background: Array
    object_renders: Array
    object_masks: Array
    object_stamps: Array | None = None
    grid: Array | None = None
    places: Array | None = None
    velocities: Array | None = None
    loudness: Array | None = None
    object_sizes: Array | None = None
    object_distances: Array | None = None
    joints: Array | None = None
    part_colours: Array | None = None
    part_masks: Array | None = None

    def __post_init__(self) -> None:
        for name, axes in zip(OBJECTS, (5, 4), strict=True):
            if (given := getattr(self, name)).ndim == axes - 1:
                object.__setattr__(self, name, given[None])


def truth_of(arrays: Mapping[str, Array]) -> Truth:
    """Of one film's arrays by name: without renders they are made of the stamps, one at every whole pixel."""
    if OBJECTS[0] in arrays:
        return Truth(**arrays)
    background, height, width = arrays["background"], *arrays["background"].shape[:2]
    y, x = (axis.ravel() for axis in np.mgrid[:height, :width])
    stamps: Singles = arrays[STAMPS][:, 0, 0].astype(np.float32)
    there = np.stack([np.roll(stamps, (down, right), axis=(1, 2)) for down, right in zip(y, x, strict=True)], axis=1)
    known = {"object_renders": painted(background.astype(np.float32) / np.float32(255), there)}
    return Truth(**{**arrays, **known, "object_masks": there[..., 3], "grid": np.stack([x, y], axis=-1)})


def painted(image: Singles, stamp: Singles) -> Singles:
    """An image [..., H, W, 3] with a stamp [..., H, W, 4] laid over it."""
    mask = stamp[..., 3:]
    frame: Singles = (1 - mask) * image + mask * stamp[..., :3]
    return frame
