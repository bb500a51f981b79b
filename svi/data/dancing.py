"""The embedded world with a dancer: a body in the middle of the frame, and two arms that follow a drawn skeleton.

This is what 16 pixels can tell apart: the arms end in hands half a patch of the codec wide, one white and one black, each in its
own half of the frame. The body stands still, so that the two arms' angles are the whole pose.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from svi.data import world
from svi.data.world import Floats, Scene
from svi.frames import Frames
from svi.method.draws import keyed

# Lengths are shares of the frame's shorter side.
_REACH = 5.2 / 16  # from the body's middle to a hand's
_HAND, _ARM = 1.9 / 16, 0.8 / 16  # radius of a hand, half the width of an arm
_BODY = 0.7  # of the object's usual size
_BONE, _JOINT = 0.6 / 16, 1.3 / 16  # half the width of a bone, radius of a joint
_SWING = 1.15  # radians that an arm goes up and down from level: further, and the hands would meet
_TEMPO, _SWINGS = (0.1, 0.4), 4  # the slowest and fastest of the swings that a dance is made of, Hz; how many they are
_WHITE, _BLACK = (1, 1, 1), (0, 0, 0)
_RED, _GREEN, _BLUE = (1, 0, 0), (0, 1, 0), (0, 0, 1)
_HANDS = np.array([_WHITE, _BLACK], dtype=np.float32)  # left and right, as the frame shows them
_BONES = np.array([_RED, _BLUE], dtype=np.float32)
_POSES, _STEPS = 15, 4  # angles an arm that the truth knows; places a pixel at which it knows a hand


def prompt(scene: Scene) -> str:
    """Background and object in six words, the same word at the same position."""
    return f"{world.OBJECTS[scene.object]} dancing along {world.BACKGROUNDS[scene.background]}"


def joints(key: tuple[int | str, ...], frames: int, fps: float) -> Floats:
    """The dance of that key: where body, left and right hand are, (x, y) from the frame's middle, y down. float32 [F, 3, 2]

    Both arms swing by sums of sines of their own; the first n frames are the same, however many are asked for.
    """
    rng = np.random.default_rng(keyed("dance", *key).initial_seed())
    tempo, start = rng.uniform(*_TEMPO, (2, _SWINGS, 1)), rng.uniform(0, 1, (2, _SWINGS, 1))
    swings = np.sin(2 * np.pi * (tempo * np.arange(frames) / fps + start)).sum(axis=1) / np.sqrt(_SWINGS / 2)
    return _pose(_SWING * np.sin(swings))


def _pose(angles: NDArray[np.float64]) -> Floats:
    """Angles [2, F] of the left and the right arm, up from level -> joints [F, 3, 2]."""
    places = np.zeros((angles.shape[1], 3, 2), np.float32)
    places[:, 1:, 0] = (_REACH * np.cos(angles) * np.array([[-1], [1]])).T
    places[:, 1:, 1] = -_REACH * np.sin(angles).T
    return places


def skeleton(joints: Floats, height: int, width: int) -> Frames:
    """Joints [F, 3, 2] drawn as a video of poses has them: coloured bones and joints on black. [F, H, W, 3] uint8"""
    stage = _Stage(height, width)
    radii, colours = np.array([_BONE, _BONE, _JOINT, _JOINT, _JOINT]), np.array([*_BONES, *_BONES, _GREEN], np.float32)
    drawn = []
    for body, left, right in joints:
        ends = np.stack([left, right, left, right, body])
        image = np.zeros((height, width, 3), np.float32)
        for mask, colour in zip(stage.near(np.stack([body, body, *ends[2:]]), ends, radii), colours, strict=True):
            image = world.painted(image, mask, colour)
        drawn.append(world.to_uint8(image))
    return np.stack(drawn)


def play(scene: Scene, joints: Floats) -> Iterator[Frames]:
    """The true film, frame by frame: the scene's object as the body, arms and hands where the joints [F, 3, 2] are. [H, W, 3]"""
    figure = _Figure(scene)
    for places in joints:
        yield world.to_uint8(figure.image(places))


def render(scene: Scene, joints: Floats) -> Frames:
    """The whole true film. [F, H, W, 3] uint8"""
    return np.stack(list(play(scene, joints)))


def truth(scene: Scene, joints: Floats) -> dict[str, NDArray[np.generic]]:
    """What scores of its film need to know, named as in benchmarks.films.film.Truth: the object is the whole figure, its
    "positions" 15 x 15 poses; the parts are the hands."""
    figure, swings = _Figure(scene), np.linspace(-_SWING, _SWING, _POSES)
    poses = _pose(np.stack(np.meshgrid(swings, swings)).reshape(2, -1))
    steps, disc = np.arange(_STEPS) / _STEPS, replace(scene, object=0)
    hand = np.stack([[world.mask(disc, x, y, _HAND / world.RADIUS) for x in steps] for y in steps])
    middle = np.array([scene.width, scene.height], np.float32) / 2
    return {
        "background": world.to_uint8(figure.ground),
        "object_renders": np.stack([figure.image(places) for places in poses]),
        "object_masks": np.stack([figure.mask(places) for places in poses]),
        "joints": middle + min(scene.height, scene.width) * joints[:, 1:],
        "part_colours": _HANDS,
        "part_masks": np.stack([hand] * len(_HANDS)),
    }


class _Stage:
    """The subpixels of a frame, measured from its middle."""

    def __init__(self, height: int, width: int) -> None:
        short = np.float32(min(height, width))
        self._x = world.offsets(width, width / 2)[None, None, :] / short
        self._y = world.offsets(height, height / 2)[None, :, None] / short

    def near(self, starts: Floats, ends: Floats, radii: NDArray[np.float64]) -> Floats:
        """Share of each pixel that is within its radius of each segment. starts, ends [N, 2], radii [N] -> [N, H, W]"""
        (dx, dy), radius = (ends - starts).T[..., None, None], radii[:, None, None]
        x, y = self._x - starts[:, :1, None], self._y - starts[:, 1:, None]
        along = np.clip((x * dx + y * dy) / np.maximum(dx**2 + dy**2, np.float32(1e-12)), 0, 1)
        return world.covered((x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius**2)


class _Figure:
    """A scene's background `ground`, and its figure in front of it."""

    def __init__(self, scene: Scene) -> None:
        self._stage = _Stage(scene.height, scene.width)
        self._body = world.mask(scene, scene.width / 2, scene.height / 2, _BODY)
        self._paint = world.PAINT[scene.object]
        self.ground = world.background(scene)

    def _limbs(self, places: Floats) -> tuple[Floats, Floats]:
        """Of joints [3, 2]: what body and arms cover [H, W], and what each hand does [2, H, W]."""
        body, *hands = places
        found = self._stage.near(
            np.stack([body, body, *hands]), np.stack([*hands, *hands]), np.array([_ARM, _ARM, _HAND, _HAND])
        )
        return np.maximum(self._body, found[:2].max(axis=0)), found[2:]

    def image(self, places: Floats) -> Floats:
        """[H, W, 3] in 0..1"""
        body, hands = self._limbs(places)
        image = world.painted(self.ground, body, self._paint)
        for hand, colour in zip(hands, _HANDS, strict=True):
            image = world.painted(image, hand, colour)
        return image

    def mask(self, places: Floats) -> Floats:
        """Share of each pixel that the figure covers. [H, W]"""
        body, hands = self._limbs(places)
        whole: Floats = np.maximum(body, hands.max(axis=0))
        return whole
