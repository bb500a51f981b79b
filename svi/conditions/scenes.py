"""The embedded world's signals: scenes that follow a sound or a skeleton, and what each film of them follows."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from svi.artifacts import POSE
from svi.conditions.audio import clip
from svi.conditions.sound import write_sound
from svi.data import dancing, talking
from svi.data.footage import Arrays, Scenes
from svi.data.world import Floats, Scene
from svi.frames import Frames
from svi.generation.video import write_mp4


class Talking:
    """An object that follows a synthesised voice (protocol: svi.data.footage.Scenes)."""

    def prompt(self, scene: Scene) -> str:
        return talking.prompt(scene)

    def play(self, scene: Scene, key: str, frames: int, fps: int) -> Iterator[Frames]:
        return talking.play(scene, talking.loudness((key,), frames, fps))

    def course(self, scene: Scene, key: str, frames: int, fps: int) -> "Voice":
        return Voice(talking.sound(talking.loudness((key,), frames, fps), fps), fps)

    def truth(self, scene: Scene, key: str, frames: int, fps: int) -> Arrays:
        return talking.truth(scene, talking.loudness((key,), frames, fps))


class Dancing:
    """A figure that follows a skeleton (protocol: svi.data.footage.Scenes)."""

    def prompt(self, scene: Scene) -> str:
        return dancing.prompt(scene)

    def play(self, scene: Scene, key: str, frames: int, fps: int) -> Iterator[Frames]:
        return dancing.play(scene, dancing.joints((key,), frames, fps))

    def course(self, scene: Scene, key: str, frames: int, fps: int) -> "Steps":
        return Steps(dancing.skeleton(dancing.joints((key,), frames, fps), scene.height, scene.width), fps)

    def truth(self, scene: Scene, key: str, frames: int, fps: int) -> Arrays:
        return dancing.truth(scene, dancing.joints((key,), frames, fps))


class Voice:
    """A synthesised sound (protocol: svi.course.Course)."""

    key = "audio"

    def __init__(self, samples: Floats, fps: int) -> None:
        """Mono, at talking.RATE."""
        self.samples, self._film = samples, torch.from_numpy(talking.features(samples, fps))

    def clip(self, start: int, frames: int) -> Tensor:
        """Its features and those around it, as svi.conditions.audio has them."""
        return clip(self._film, start, frames)

    def keep(self, file: Path) -> Path:
        wav = file.with_name(f"{file.name}.wav")
        write_sound(wav, self.samples)
        return wav


class Steps:
    """Drawn skeletons (protocol: svi.course.Course)."""

    key = "pose"

    def __init__(self, drawn: Frames, fps: int) -> None:
        """[F, H, W, 3] uint8"""
        self._drawn, self._fps = torch.from_numpy(drawn), fps

    def clip(self, start: int, frames: int) -> Tensor:
        """uint8 [frames, H, W, 3]"""
        return self._drawn[torch.arange(start, start + frames).clamp(0, len(self._drawn) - 1)]

    def keep(self, file: Path) -> Path:
        video = file.with_name(f"{file.name}{POSE}")
        write_mp4(video, iter(self._drawn.numpy()), self._fps, *self._drawn.shape[1:3])
        return video


SCENES: Mapping[str, Scenes] = {Voice.key: Talking(), Steps.key: Dancing()}


def scenes_of(signal: str | None) -> Scenes | None:
    """How the signal of that key moves the embedded world. Raises ValueError where nothing there follows it."""
    if signal is None:
        return None
    if signal not in SCENES:
        raise ValueError(
            f"condition.signal: nothing in the embedded world follows {signal!r}, only {' or '.join(SCENES)}; set data.path=FOLDER"
        )
    return SCENES[signal]
