"""Short true films of the disc, each with its own course, as the films of a folder."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.films.film import Film, Need
from tests.benchmarks.conftest import World

FRAMES = 41


@dataclass
class Discs:
    """True films (protocol: benchmarks.suites.suite.Films), of which only the course differs."""

    world: World
    names: list[str]
    fps: float = 8
    track: str = "test"
    track_version: int = 1
    samples_hash: str = "test"
    resolutions: list[tuple[int, int]] = field(default_factory=lambda: [(16, 16)])

    def missing(self, need: Need) -> str | None:
        return None if need in ("truth", "continuation") else "not known"

    def film(self, index: int) -> Film:
        rng = np.random.default_rng(index)
        turn = rng.uniform(0, 2 * np.pi) + rng.choice([-1, 1]) * 2 * np.pi * np.arange(FRAMES) / 20
        frames = self.world.frames([(8 + 3 * np.sin(angle), 8 + 3 * np.cos(angle)) for angle in turn])
        return replace(self.world.film(frames), continuation=frames)

    def clip_prompts(self, index: int) -> tuple[str, ...]:
        raise AssertionError("nothing here asks for prompts")

    def video(self, index: int) -> Path:
        raise AssertionError("nothing here asks for the true films' videos")


@pytest.fixture(scope="session")
def discs(world: World) -> Discs:
    return Discs(world, [f"disc {index}" for index in range(200)])
