"""The embedded world: one coloured shape that crosses one of four backgrounds. Everything about a scene is known.

The object's shape is tied to its colour, and the prompt names background, object and velocity, so that a model can know what a
frame *should* look like. The frame wraps around like a torus: position and prompt are the whole state, so the true film is known at
any length. Why this setting: docs/toy-world.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from svi.frames import Frames

Floats = NDArray[np.float32]

RADIUS = 3.5 / 16  # of the frame's shorter side
BACKGROUNDS = ("sand stripes", "sea stripes", "meadow checks", "dusk checks")
OBJECTS = ("red disc", "blue square", "yellow diamond")
DIRECTIONS = ("east", "northeast", "north", "northwest", "west", "southwest", "south", "southeast")
SPEEDS = {"slowly": 0.0175, "quickly": 0.035}  # of the shorter side a frame: .28 and .56 px at 16 px

_GROUND = np.array(
    [
        [[0.86, 0.74, 0.52], [0.62, 0.46, 0.30]],
        [[0.20, 0.44, 0.62], [0.50, 0.76, 0.82]],
        [[0.36, 0.60, 0.28], [0.66, 0.82, 0.44]],
        [[0.34, 0.24, 0.44], [0.60, 0.42, 0.56]],
    ],
    dtype=np.float32,
)
PAINT = np.array([[0.92, 0.16, 0.14], [0.12, 0.20, 0.92], [0.98, 0.90, 0.12]], dtype=np.float32)
_SUBPIXELS = 4


@dataclass(frozen=True)
class Scene:
    """One scene; positions and speeds in pixels, y down."""

    background: int
    object: int
    x: float
    y: float
    direction: int
    speed: str
    height: int
    width: int

    @property
    def prompt(self) -> str:
        """Background, object and velocity in six words, the same word at the same position."""
        return f"{OBJECTS[self.object]} {self.speed} {DIRECTIONS[self.direction]} {BACKGROUNDS[self.background]}"

    @property
    def velocity(self) -> tuple[float, float]:
        """Pixels a frame, (x, y)."""
        angle = self.direction * np.pi / 4
        pace = SPEEDS[self.speed] * min(self.height, self.width)
        return pace * float(np.cos(angle)), -pace * float(np.sin(angle))

    def turned(self, direction: int, speed: str) -> "Scene":
        """The same scene with another velocity."""
        return replace(self, direction=direction, speed=speed)

    @property
    def reversed(self) -> "Scene":
        """The same scene as its film shows it backwards in time."""
        return self.turned((self.direction + len(DIRECTIONS) // 2) % len(DIRECTIONS), self.speed)

    def later(self, frames: int) -> "Scene":
        """The same scene so many frames on: the position is not wrapped around."""
        return replace(self, x=self.x + frames * self.velocity[0], y=self.y + frames * self.velocity[1])


def draw_scene(rng: np.random.Generator, height: int, width: int) -> Scene:
    """A scene with everything uniform: background, object, position, direction and speed."""
    return Scene(
        background=int(rng.integers(len(BACKGROUNDS))),
        object=int(rng.integers(len(OBJECTS))),
        x=float(rng.uniform(0, width)),
        y=float(rng.uniform(0, height)),
        direction=int(rng.integers(len(DIRECTIONS))),
        speed=str(rng.choice(list(SPEEDS))),
        height=height,
        width=width,
    )


def background(scene: Scene) -> Floats:
    """The scene without its object. [H, W, 3] in 0..1"""
    period = max(min(scene.height, scene.width) // 4, 1)
    y, x = np.mgrid[: scene.height, : scene.width] // period
    kind = BACKGROUNDS[scene.background].split()[1]
    pick = (x + y) % 2 if kind == "checks" else (y if scene.background % 2 else x) % 2
    ground: Floats = _GROUND[scene.background][pick]
    return ground


def mask(scene: Scene, x: float, y: float, size: float = 1.0) -> Floats:
    """Share of each pixel that the object covers when its centre is at (x, y), around the borders; `size` of the usual. [H, W]"""
    dx = offsets(scene.width, x)[None, :]
    dy = offsets(scene.height, y)[:, None]
    radius = size * RADIUS * min(scene.height, scene.width)
    shape = OBJECTS[scene.object].split()[1]
    if shape == "disc":
        inside = dx**2 + dy**2 <= radius**2
    elif shape == "square":
        inside = np.maximum(np.abs(dx), np.abs(dy)) <= 0.85 * radius
    else:
        inside = np.abs(dx) + np.abs(dy) <= 1.2 * radius
    return covered(inside)


def covered(inside: NDArray[np.bool_]) -> Floats:
    """Share of each pixel [..., H, W] that a figure covers, of which these subpixels [..., 4 H, 4 W] are inside."""
    height, width = (side // _SUBPIXELS for side in inside.shape[-2:])
    blocks = inside.reshape(*inside.shape[:-2], height, _SUBPIXELS, width, _SUBPIXELS)
    shares: Floats = blocks.mean(axis=(-3, -1), dtype=np.float32)
    return shares


def offsets(size: int, centre: float) -> Floats:
    """Signed distance of each subpixel to the centre, the shorter way around. [4 size]"""
    step = (np.arange(size * _SUBPIXELS, dtype=np.float32) + 0.5) / _SUBPIXELS
    half = np.float32(size / 2)
    distances: Floats = ((step - np.float32(centre) + half) % np.float32(size) - half).astype(np.float32)
    return distances


def composite(scene: Scene, x: float, y: float, size: float = 1.0) -> Floats:
    """The scene with its object's centre at (x, y). [H, W, 3] in 0..1"""
    return painted(background(scene), mask(scene, x, y, size), PAINT[scene.object])


def painted(image: Floats, mask: Floats, colour: Floats) -> Floats:
    """An image [..., H, W, 3] with a colour [3] laid over it where the mask [..., H, W] says."""
    m = mask[..., None]
    frame: Floats = (1 - m) * image + m * colour
    return frame


def to_uint8(image: Floats) -> Frames:
    """0..1 -> 0..255"""
    return np.round(image * 255).astype(np.uint8)


def play(scenes: Sequence[Scene]) -> Iterator[Frames]:
    """The true film, frame by frame: the object starts where scenes[0] puts it and moves as scenes[i] says after frame i.

    [H, W, 3] uint8; a fixed prompt is the same scene for every frame, a prompt stream changes it.
    """
    x, y = scenes[0].x, scenes[0].y
    for scene in scenes:
        yield to_uint8(composite(scenes[0], x, y))
        x, y = x + scene.velocity[0], y + scene.velocity[1]


def render(scenes: Sequence[Scene]) -> Frames:
    """The whole true film. [F, H, W, 3] uint8"""
    return np.stack(list(play(scenes)))


def placements(scene: Scene, step: float = 1.0) -> tuple[Floats, Floats]:
    """The scene with its object at each position of a grid. renders [P, H, W, 3] in 0..1, masks [P, H, W]"""
    spots = [(x, y) for y in np.arange(0, scene.height, step) for x in np.arange(0, scene.width, step)]
    masks = np.stack([mask(scene, x, y) for x, y in spots])
    return painted(background(scene), masks, PAINT[scene.object]), masks


def truth(scenes: Sequence[Scene], steps: int) -> dict[str, NDArray[np.generic]]:
    """What scores of a film whose frames are of these scenes need to know, named as in benchmarks.films.truth.Truth; stamps in
    so many steps a pixel."""
    first = scenes[0]
    renders, masks = placements(first)
    parts = np.arange(steps) / steps
    coverage = np.stack([[mask(first, x, y) for x in parts] for y in parts])
    colour = np.broadcast_to(PAINT[first.object], (*coverage.shape, 3))
    return {
        "background": to_uint8(background(first)),
        "object_renders": renders[None],
        "object_masks": masks[None],
        "object_stamps": np.concatenate([colour, coverage[..., None]], axis=-1)[None].astype(np.float16),
        "grid": np.array([(x, y) for y in range(first.height) for x in range(first.width)], np.float64),
        **course([(first.x, first.y)], [[scene.velocity] for scene in scenes], (first.width, first.height)),
    }


def course(
    start: Sequence[tuple[float, float]], velocities: Sequence[Sequence[tuple[float, float]]], size: tuple[int, int]
) -> dict[str, NDArray[np.generic]]:
    """Of objects that are at `start` [K, 2] in the first frame and move as `velocities` [F, K, 2] say after each: their places
    around the borders of a frame of that width and height, and these velocities, [F, K, 2] each."""
    steps = np.array(velocities)
    moved = np.concatenate([np.zeros((1, *steps.shape[1:])), steps[:-1].cumsum(axis=0)])
    return {"places": (np.array(start) + moved) % size, "velocities": steps}


def storyline(scene: Scene, length: int, rng: np.random.Generator) -> list[Scene]:
    """A prompt stream: the scene, then `length - 1` further scenes, each turned to another velocity."""
    scenes = [scene]
    while len(scenes) < length:
        scenes.append(scene.turned(int(rng.integers(len(DIRECTIONS))), str(rng.choice(list(SPEEDS)))))
    return scenes
