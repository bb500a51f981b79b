"""The embedded worlds by name: modules that draw scenes, say what they are called, and show them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from svi.data import lanes, world
from svi.frames import Frames


class World(Protocol):
    """What such a module has; a scene is one of its own."""

    def draw_scene(self, rng: np.random.Generator, height: int, width: int) -> Any:
        """A scene of so many pixels with everything uniform."""

    def storyline(self, scene: Any, length: int, rng: np.random.Generator) -> list[Any]:
        """A prompt stream: the scene, then others of other velocities."""

    def play(self, scenes: Sequence[Any]) -> Iterator[Frames]:
        """The true film, frame by frame, [H, W, 3] uint8; scenes[i] says how its objects move after frame i."""

    def render(self, scenes: Sequence[Any]) -> Frames:
        """The whole true film. [F, H, W, 3] uint8"""

    def truth(self, scenes: Sequence[Any], steps: int) -> dict[str, NDArray[np.generic]]:
        """What scores of that film need to know."""


WORLDS: Mapping[str, World] = {"shapes": world, "lanes": lanes}
