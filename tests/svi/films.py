"""Films of a real tiny transformer on scenes of the embedded world."""

from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np

from svi.data import world
from svi.generation.generator import Generator
from svi.generation.reel import Script
from svi.settings import ConditionSettings, DataSettings, Frozen, GenerateSettings
from tests.svi.conftest import CONDITION, DATA, make_backbone

SETTINGS = GenerateSettings(steps=2, guidance=1.0, shift=3.0, lossless=True)


def scripts(clips: int, films: int = 2, data: DataSettings = DATA) -> list[Script]:
    """A prompt stream of different prompts for each film."""
    rng = np.random.default_rng(1)
    stories = [world.storyline(world.draw_scene(rng, data.height, data.width), clips, rng) for _ in range(films)]
    return [
        Script(f"film-{i}", world.render(story[:1])[0], tuple(scene.prompt for scene in story))
        for i, story in enumerate(stories)
    ]


def maker(
    settings: GenerateSettings = SETTINGS, condition: ConditionSettings = CONDITION, data: DataSettings = DATA
) -> Generator:
    backbone = make_backbone(data)
    return Generator(backbone, backbone.transformers, sections(settings, condition))


def sections(generate: GenerateSettings, condition: ConditionSettings, **others: Frozen) -> SimpleNamespace:
    """Settings as a stage reads them: a section an attribute."""
    return SimpleNamespace(generate=generate, condition=condition, **others)


def quiet(done: int, total: int) -> None:
    return None


def decoded(file: Path) -> np.ndarray:
    """[F, H, W, 3] uint8"""
    with av.open(str(file)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
