"""The embedded world `lanes`: two textured objects cross one of six landscapes, one in its sky and one on its ground.

As in `shapes` (world.py) objects move around the borders, the prompt names landscape, objects and velocities, and the true film is
known at any length. Unlike there, a landscape has detail of every size and no two objects are of one colour: what a codec and a
model lose can be seen. Which view of the landscape it is, only the image says. The objects never touch: each keeps to its lane.
Why this setting: docs/toy-world.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from svi.data.world import DIRECTIONS, Floats, course, covered, offsets, painted, to_uint8
from svi.frames import Frames

RADIUS = 5.5 / 32  # of the frame's shorter side
SPEEDS = {"slowly": 0.00875, "quickly": 0.0175}  # of the shorter side a frame: .28 and .56 px at 32 px
_FINE = 8  # points a pixel's side that a landscape is drawn at
VIEWS = 2  # of a landscape, the second half a turn further
LANES = (0.25, 0.75)  # of the frame's height: the sky, and the ground
_AROUND = 1 / 32  # of the height, at most, from the middle of its lane: no object reaches the other lane
_ALONG = (DIRECTIONS.index("east"), DIRECTIONS.index("west"))

Colour = tuple[float, float, float]
Grid = NDArray[np.float64]


@dataclass(frozen=True)
class Mover:
    """One object; position and speed in pixels, y down."""

    kind: str
    x: float
    y: float
    direction: int
    speed: str

    @property
    def words(self) -> str:
        return f"{self.kind} {self.speed} {DIRECTIONS[self.direction]}"

    def velocity(self, side: int) -> tuple[float, float]:
        """Pixels a frame, (x, y), in a frame of that shorter side."""
        angle, pace = self.direction * np.pi / 4, SPEEDS[self.speed] * side
        return pace * float(np.cos(angle)), -pace * float(np.sin(angle))


@dataclass(frozen=True)
class Scene:
    """One view of a landscape and the objects that cross it, a lane each."""

    landscape: str
    view: int
    movers: tuple[Mover, ...]
    height: int
    width: int

    @property
    def prompt(self) -> str:
        """Each object with its velocity, then the landscape: seven words, the same kind of word at the same position."""
        return ", ".join([*(mover.words for mover in self.movers), self.landscape])

    @property
    def velocities(self) -> tuple[tuple[float, float], ...]:
        """Of each object, pixels a frame, (x, y)."""
        return tuple(mover.velocity(min(self.height, self.width)) for mover in self.movers)

    @property
    def places(self) -> tuple[tuple[float, float], ...]:
        """Of each object, pixels, (x, y)."""
        return tuple((mover.x, mover.y) for mover in self.movers)

    @property
    def reversed(self) -> "Scene":
        """The same scene as its film shows it backwards in time."""
        half = len(DIRECTIONS) // 2
        turned = (replace(m, direction=(m.direction + half) % len(DIRECTIONS)) for m in self.movers)
        return replace(self, movers=tuple(turned))

    def later(self, frames: int) -> "Scene":
        """The same scene so many frames on: positions are not wrapped around."""
        return self.moved(self.velocities, frames)

    def moved(self, velocities: Sequence[tuple[float, float]], frames: int = 1) -> "Scene":
        """The same scene with its objects so many frames on, each at a velocity of these."""
        moved = (
            replace(mover, x=mover.x + frames * vx, y=mover.y + frames * vy)
            for mover, (vx, vy) in zip(self.movers, velocities, strict=True)
        )
        return replace(self, movers=tuple(moved))


def draw_scene(rng: np.random.Generator, height: int, width: int) -> Scene:
    """A scene with everything uniform: landscape and view, two objects of different kinds, their positions and velocities.

    The first is in the sky.
    """
    kinds = rng.choice(list(OBJECTS), 2, replace=False)
    landscape, view = str(rng.choice(list(LANDSCAPES))), int(rng.integers(VIEWS))
    movers = (
        Mover(
            str(kind),
            float(rng.uniform(0, width)),
            height * float(lane + rng.uniform(-_AROUND, _AROUND)),
            *_heading(rng),
        )
        for kind, lane in zip(kinds, LANES, strict=True)
    )
    return Scene(landscape, view, tuple(movers), height, width)


def storyline(scene: Scene, length: int, rng: np.random.Generator) -> list[Scene]:
    """A prompt stream: the scene, then `length - 1` further scenes, with other velocities."""
    scenes = [scene]
    while len(scenes) < length:
        turned = (Mover(mover.kind, mover.x, mover.y, *_heading(rng)) for mover in scene.movers)
        scenes.append(replace(scene, movers=tuple(turned)))
    return scenes


def _heading(rng: np.random.Generator) -> tuple[int, str]:
    """A direction and a speed."""
    return int(rng.choice(_ALONG)), str(rng.choice(list(SPEEDS)))


def play(scenes: Sequence[Scene]) -> Iterator[Frames]:
    """The true film, frame by frame: objects start where scenes[0] puts them and move as scenes[i] says after frame i.

    [H, W, 3] uint8
    """
    now = scenes[0]
    for scene in scenes:
        yield to_uint8(composite(now))
        now = now.moved(scene.velocities)


def render(scenes: Sequence[Scene]) -> Frames:
    """The whole true film. [F, H, W, 3] uint8"""
    return np.stack(list(play(scenes)))


def composite(scene: Scene) -> Floats:
    """The landscape with its objects, the last one in front. [H, W, 3] in 0..1"""
    image = background(scene)
    for mover in scene.movers:
        mask, paint = sprite(scene, mover.kind, mover.x, mover.y)
        image = painted(image, mask, paint)
    return image


def truth(scenes: Sequence[Scene], steps: int) -> dict[str, NDArray[np.generic]]:
    """What scores of a film whose frames are of these scenes need to know, named as in benchmarks.films.truth.Truth; stamps in
    so many steps a pixel."""
    first, parts = scenes[0], np.arange(steps) / steps
    stamps = [
        [
            [
                np.concatenate([paint, mask[..., None]], axis=-1)
                for mask, paint in (sprite(first, m.kind, x, y) for x in parts)
            ]
            for y in parts
        ]
        for m in first.movers
    ]
    return {
        "background": to_uint8(background(first)),
        "object_stamps": np.array(stamps, np.float16),
        **course(first.places, [scene.velocities for scene in scenes], (first.width, first.height)),
    }


# Objects


def sprite(scene: Scene, kind: str, x: float, y: float) -> tuple[Floats, Floats]:
    """Share of each pixel that the object covers when its centre is at (x, y), around the borders [H, W]; its colour there
    [H, W, 3]."""
    radius = RADIUS * min(scene.height, scene.width)
    dx, dy = np.broadcast_arrays(offsets(scene.width, x)[None] / radius, offsets(scene.height, y)[:, None] / radius)
    layers = [(covered(inside), np.array(colour, np.float32)) for inside, colour in OBJECTS[kind](dx, dy)]
    mask = layers[0][0]
    whole = np.maximum(mask, np.float32(1e-6))
    paint = np.broadcast_to(layers[0][1], (*mask.shape, 3))
    for share, colour in layers[1:]:
        paint = painted(paint, np.minimum(share / whole, np.float32(1)), colour)
    return mask, np.asarray(paint, np.float32)


Layer = tuple[NDArray[np.bool_], Colour]


def _ball(x: Grid, y: Grid) -> list[Layer]:
    """Red, with a white band and a highlight."""
    inside = x**2 + y**2 <= 1
    return [
        (inside, (0.86, 0.12, 0.14)),
        (inside & (np.abs(y) <= 0.28), (0.97, 0.95, 0.92)),
        ((x + 0.35) ** 2 + (y + 0.55) ** 2 <= 0.04, (1.0, 0.8, 0.78)),
    ]


def _star(x: Grid, y: Grid) -> list[Layer]:
    """Yellow, five points, orange within."""
    return [(_pointed(x, y, 1.25), (1.0, 0.87, 0.16)), (_pointed(x, y, 0.6), (0.96, 0.55, 0.08))]


def _pointed(x: Grid, y: Grid, size: float) -> NDArray[np.bool_]:
    turn = np.abs((np.arctan2(x, -y) / (2 * np.pi) * 5 + 0.5) % 1 - 0.5)  # 0 at a point, .5 between two
    inside: NDArray[np.bool_] = np.hypot(x, y) <= size * (1 - 1.05 * turn)
    return inside


def _crate(x: Grid, y: Grid) -> list[Layer]:
    """A blue square with a light frame and one diagonal."""
    side = np.maximum(np.abs(x), np.abs(y))
    inside = side <= 0.88
    lines = inside & ((side >= 0.62) | (np.abs(x - y) <= 0.24))
    return [(inside, (0.10, 0.20, 0.72)), (lines, (0.45, 0.68, 0.98))]


def _ring(x: Grid, y: Grid) -> list[Layer]:
    """Green, with a hole and a dark lower half."""
    r = np.hypot(x, y)
    inside = (r <= 1.05) & (r >= 0.45)
    return [(inside, (0.20, 0.85, 0.40)), (inside & (y > 0), (0.05, 0.48, 0.28))]


OBJECTS: dict[str, Callable[[Grid, Grid], list[Layer]]] = {
    "ball": _ball,
    "star": _star,
    "crate": _crate,
    "ring": _ring,
}


# Landscapes: x and y run from 0 to 1, y down; a colour each point


def background(scene: Scene) -> Floats:
    """The view without objects; it goes on at the left where it ends at the right. [H, W, 3] in 0..1"""
    drawn = _landscape(scene.landscape, scene.height, scene.width)
    return np.roll(drawn, -scene.view * scene.width // VIEWS, axis=1)


@cache
def _landscape(name: str, height: int, width: int) -> Floats:
    y, x = ((np.arange(side * _FINE) + 0.5) / (side * _FINE) for side in (height, width))
    image = LANDSCAPES[name](*np.meshgrid(x, y))
    shares = image.reshape(height, _FINE, width, _FINE, 3).mean(axis=(1, 3)).clip(0, 1)
    found: Floats = shares.astype(np.float32)
    found.setflags(write=False)  # it is kept
    return found


def _blend(top: Colour, bottom: Colour, share: Grid) -> Grid:
    mixed: Grid = np.asarray(top) + share[..., None] * (np.asarray(bottom) - np.asarray(top))
    return mixed


def _lay(image: Grid, where: NDArray[np.bool_], what: Grid | Colour) -> Grid:
    return np.where(where[..., None], what, image)


def _grain(x: Grid, y: Grid, cells: int, seed: int) -> Grid:
    """A fixed random number -1 to 1 for each cell of a grid of so many cells a side."""
    table = np.random.default_rng(seed).uniform(-1, 1, (cells, cells))
    row, column = ((axis * cells).astype(np.int64).clip(0, cells - 1) for axis in (y, x))
    found: Grid = table[row, column]
    return found


def _beach(x: Grid, y: Grid) -> Grid:
    image = _blend((0.45, 0.72, 0.95), (0.85, 0.93, 0.98), y / 0.35)
    sea = _blend((0.10, 0.35, 0.62), (0.25, 0.66, 0.74), (y - 0.35) / 0.3)
    sea = sea + 0.10 * np.sin(2 * np.pi * (3 * x + 8 * y + 0.6 * np.sin(2 * np.pi * 2 * x)))[..., None]
    image = _lay(image, y > 0.35, sea)
    sand = _blend((0.90, 0.80, 0.58), (0.74, 0.60, 0.38), (y - 0.65) / 0.35) + 0.07 * _grain(x, y, 16, 1)[..., None]
    return _lay(image, y > 0.65 + 0.04 * np.sin(2 * np.pi * 1.5 * x), sand)


def _meadow(x: Grid, y: Grid) -> Grid:
    image = _blend((0.52, 0.78, 0.98), (0.86, 0.95, 1.0), y / 0.5)
    image = _lay(image, (x - 0.78) ** 2 + (y - 0.18) ** 2 < 0.012, (1.0, 0.93, 0.55))
    far = _blend((0.42, 0.66, 0.42), (0.30, 0.55, 0.30), (y - 0.35) / 0.3)
    image = _lay(image, y > 0.45 + 0.09 * np.sin(2 * np.pi * (x + 0.1)), far)
    near = _blend((0.38, 0.72, 0.24), (0.16, 0.44, 0.12), (y - 0.6) / 0.4) + 0.08 * _grain(x, y, 16, 2)[..., None]
    image = _lay(image, y > 0.64 + 0.06 * np.sin(2 * np.pi * (x + 0.55)), near)
    return _lay(image, (_grain(x, y, 16, 3) > 0.86) & (y > 0.72), (0.98, 0.85, 0.90))


def _desert(x: Grid, y: Grid) -> Grid:
    image = _blend((0.98, 0.62, 0.36), (1.0, 0.86, 0.62), y / 0.5)
    image = _lay(image, (x - 0.25) ** 2 + (y - 0.28) ** 2 < 0.018, (1.0, 0.95, 0.80))
    for start, depth, colour in ((0.45, 0.10, (0.78, 0.44, 0.24)), (0.62, 0.12, (0.66, 0.34, 0.18))):
        ridge = start + depth * np.abs(np.sin(np.pi * (1.5 * x + 4 * start)))
        ripples = 0.06 * np.sin(2 * np.pi * (10 * y + 2 * x))
        image = _lay(image, y > ridge, np.asarray(colour) + ripples[..., None])
    return image


def _city(x: Grid, y: Grid) -> Grid:
    image = _blend((0.05, 0.05, 0.18), (0.30, 0.16, 0.38), y)
    image = _lay(image, (_grain(x, y, 24, 4) > 0.9) & (y < 0.45), (0.9, 0.9, 0.75))
    heights = np.array([0.50, 0.34, 0.62, 0.42, 0.55, 0.30, 0.58, 0.46])
    house = (x * 8).astype(np.int64).clip(0, 7)
    wall = y > heights[house]
    image = _lay(image, wall, np.where((house % 2 == 0)[..., None], (0.13, 0.14, 0.24), (0.18, 0.19, 0.30)))
    window = (np.abs((x * 16) % 1 - 0.5) < 0.3) & (np.abs((y * 14) % 1 - 0.5) < 0.26) & (y > heights[house] + 0.05)
    lit = window & (_grain(x, y, 16, 5) > -0.1) & (y < 0.92)
    return _lay(image, lit, (0.98, 0.82, 0.42))


def _mountains(x: Grid, y: Grid) -> Grid:
    image = _blend((0.62, 0.70, 0.86), (0.94, 0.88, 0.90), y / 0.6)
    for peak, top, slope, colour in ((0.30, 0.18, 1.15, (0.36, 0.40, 0.52)), (0.72, 0.30, 1.0, (0.28, 0.32, 0.44))):
        edge = top + slope * np.abs(x - peak)
        image = _lay(image, y > edge, np.asarray(colour) + 0.05 * _grain(x, y, 16, 6)[..., None])
        snow = edge + 0.16 + 0.04 * np.sin(2 * np.pi * 9 * x)
        image = _lay(image, (y > edge) & (y < snow), (0.95, 0.97, 1.0))
    lake = _blend((0.30, 0.46, 0.60), (0.16, 0.28, 0.42), (y - 0.78) / 0.22)
    return _lay(image, y > 0.78, lake + 0.07 * np.sin(2 * np.pi * (12 * y + 1.5 * x))[..., None])


def _forest(x: Grid, y: Grid) -> Grid:
    image = _blend((0.80, 0.88, 0.66), (0.36, 0.52, 0.32), y)
    trunk = np.abs((x * 5 + 0.08 * np.sin(2 * np.pi * 2 * y)) % 1 - 0.5) < 0.17
    bark = np.asarray((0.34, 0.22, 0.14)) + 0.09 * np.sin(2 * np.pi * 11 * y)[..., None]
    image = _lay(image, trunk, bark)
    leaves = np.asarray((0.14, 0.40, 0.18)) + 0.16 * _grain(x, y, 16, 7)[..., None]
    image = _lay(image, y < 0.30 + 0.05 * np.sin(2 * np.pi * 3 * x), leaves)
    floor = np.asarray((0.42, 0.32, 0.16)) + 0.10 * _grain(x, y, 16, 8)[..., None]
    return _lay(image, y > 0.82, floor)


LANDSCAPES: dict[str, Callable[[Grid, Grid], Grid]] = {
    "beach": _beach,
    "meadow": _meadow,
    "desert": _desert,
    "city": _city,
    "mountains": _mountains,
    "forest": _forest,
}
