"""Films of a real tiny transformer on scenes of the embedded world."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np

from svi.data import world
from svi.generation.clips import ClipLoop
from svi.generation.generator import Generator
from svi.generation.loop import Loop
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
    settings: GenerateSettings = SETTINGS,
    condition: ConditionSettings = CONDITION,
    data: DataSettings = DATA,
    loop: type[Loop] = ClipLoop,
    memory: Any = None,
    **others: Frozen,
) -> Generator:
    """`others`: sections of settings that the loop or its memory read."""
    backbone = make_backbone(data)
    return Generator(backbone, backbone.transformers, sections(settings, condition, **others), loop, memory)


def sections(generate: GenerateSettings, condition: ConditionSettings, **others: Frozen) -> SimpleNamespace:
    """Settings as a stage reads them: a section an attribute."""
    return SimpleNamespace(generate=generate, condition=condition, **others)


class Stop(Exception):
    pass


def whole_and_stopped(
    make: Callable[[], Generator], story: list[Script], n_frames: int, root: Path
) -> list[np.ndarray]:
    """The frames of films made at once, and of the same films stopped after every clip; [S, F, H, W, 3] each."""
    whole, cut = root / "whole", root / "cut"
    whole.mkdir()
    cut.mkdir()
    make().films(story, n_frames, 8, whole, quiet)
    for clip in range(1, len(story[0].prompts)):

        def stop(done: int, total: int, at: int = clip * len(story)) -> None:
            if done == at:
                raise Stop

        with suppress(Stop):
            make().films(story, n_frames, 8, cut, stop)
        assert not (cut / "videos").exists()  # it was stopped
    make().films(story, n_frames, 8, cut, quiet)
    return [np.load(folder / "frames.npy") for folder in (whole, cut)]


def quiet(done: int, total: int) -> None:
    return None


def decoded(file: Path) -> np.ndarray:
    """[F, H, W, 3] uint8"""
    with av.open(str(file)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def folder(root: Path, name: str) -> Path:
    (root / name).mkdir()
    return root / name


def films(
    root: Path, name: str, clips: int = 3, condition: ConditionSettings = CONDITION, **changes: object
) -> np.ndarray:
    """Frames [S, F, H, W, 3] of two whole films."""
    made = folder(root, name)
    n_frames = clips * (DATA.clip_frames - condition.overlap) + condition.overlap
    maker(SETTINGS.model_copy(update=changes), condition).films(scripts(clips), n_frames, 8, made, quiet)
    return np.load(made / "frames.npy")
