"""Training clips: from the embedded world or a folder of real videos, encoded once into a latent cache."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from svi import world
from svi.backbone import Backbone
from svi.settings import ConditionSettings, DataSettings

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
Frames = world.Frames


class Clip(NamedTuple):
    """One training clip. frames [L, H, W, 3] uint8; reference [H, W, 3], an image of the same scene."""

    frames: Frames
    prompt: str
    reference: Frames


class Footage(NamedTuple):
    """What a folder of videos gave: training clips, clips held back, and the files that could not be used with the reason."""

    clips: list[Clip]
    held_back: list[Clip]
    skipped: list[tuple[str, str]]


def world_clips(settings: DataSettings) -> list[Clip]:
    """Clips of the embedded world; the reference is the clip's first frame."""
    rng = np.random.default_rng(settings.seed)
    clips = []
    for _ in range(settings.clips):
        scene = world.draw_scene(rng, settings.height, settings.width)
        frames = world.render([scene] * settings.clip_frames)
        clips.append(Clip(frames, scene.prompt, frames[0]))
    return clips


def read_footage(root: Path, settings: DataSettings) -> Footage:
    """Clips of the real videos under root/<Category>/, resized, at the settings' fps; captions from <Category>.csv.

    The end of each video (`hold_back`) is kept from training. Raises ValueError if the folder is missing or no video is usable.
    """
    if not root.is_dir():
        raise ValueError(
            f"data.path is {root}, which is not a folder; expected root/<Category>/<Category>.csv beside the videos"
        )
    clips, held_back, skipped = [], [], []
    for category in sorted(p for p in root.iterdir() if p.is_dir()):
        captions = _captions(category)
        for file in sorted(p for p in category.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES):
            name = f"{category.name}/{file.name}"
            try:
                frames = read_video(file, settings.fps, settings.height, settings.width)
            except (ValueError, OSError) as error:
                skipped.append((name, f"unreadable: {error}"))
                continue
            prompt = captions.get(file.name, f"A video from {category.name} category")
            kept = len(frames) - _held_back(len(frames), settings)
            train = _windows(frames[: max(kept, 0)], prompt, settings)
            if not train:
                least = settings.clip_frames + _held_back(len(frames), settings)
                skipped.append(
                    (name, f"too short: {len(frames)} frames at {settings.fps} fps, at least {least} are needed")
                )
                continue
            clips += train
            held_back += _windows(frames[kept:], prompt, settings)[:1]
    if not clips:
        reasons = "; ".join(f"{name}: {why}" for name, why in skipped) or "no video files found"
        raise ValueError(
            f"no usable video under {root} ({reasons}); expected root/<Category>/*.mp4 with <Category>.csv beside them"
        )
    return Footage(clips, held_back, skipped)


def _held_back(frames: int, settings: DataSettings) -> int:
    """Frames kept from training: at least one clip, unless nothing is held back."""
    return max(int(frames * settings.hold_back), settings.clip_frames) if settings.hold_back else 0


def _captions(category: Path) -> dict[str, str]:
    table = category / f"{category.name}.csv"
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        missing = {"Filename", "Video Description"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(
                f"{table} has no column {', '.join(sorted(missing))}; found {', '.join(reader.fieldnames or ())}"
            )
        return {row["Filename"]: row["Video Description"] for row in reader if row["Video Description"]}


def read_video(file: Path, fps: int, height: int, width: int) -> Frames:
    """Frames at `fps`, cropped to the aspect and resized. [F, H, W, 3]; raises ValueError if the file holds no readable frames."""
    import decord

    try:
        reader = decord.VideoReader(str(file), num_threads=1)
        source_fps = float(reader.get_avg_fps())
        if len(reader) == 0 or not source_fps > 0:
            raise ValueError("it holds no frames")
        count = max(int(len(reader) * fps / source_fps), 1)
        picks = np.minimum(np.round(np.arange(count) * source_fps / fps).astype(int), len(reader) - 1)
        blocks = [fit_frames(reader.get_batch(block).asnumpy(), height, width) for block in _blocks(picks, 32)]
    except (decord.DECORDError, RuntimeError, IndexError, ZeroDivisionError) as error:
        raise ValueError("it cannot be decoded, or has no video stream") from error
    return np.concatenate(blocks)


def _blocks(values: np.ndarray, size: int) -> list[list[int]]:
    return [values[i : i + size].tolist() for i in range(0, len(values), size)]


def fit_frames(frames: Frames, height: int, width: int) -> Frames:
    """Centre crop to the aspect of height x width, then resize with antialiasing. [F, h, w, 3] -> [F, height, width, 3]"""
    _, h, w, _ = frames.shape
    crop_w, crop_h = min(w, round(h * width / height)), min(h, round(w * height / width))
    top, left = (h - crop_h) // 2, (w - crop_w) // 2
    x = torch.from_numpy(frames[:, top : top + crop_h, left : left + crop_w].copy()).permute(0, 3, 1, 2).float()
    x = torch.nn.functional.interpolate(x, (height, width), mode="bilinear", antialias=True)
    return x.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def _windows(frames: Frames, prompt: str, settings: DataSettings) -> list[Clip]:
    length = settings.clip_frames
    starts = range(0, len(frames) - length + 1, settings.hop)
    middle = frames[len(frames) // 2] if len(frames) else frames
    return [Clip(frames[s : s + length], prompt, middle) for s in starts]


@dataclass(frozen=True)
class ClipCache:
    """Everything a training step reads, encoded: nothing is encoded during training.

    latents [N, C, T, h, w]; condition and condition_short [N, 4 + C, T, h, w], from all m motion frames and from one; text.
    """

    latents: Tensor
    condition: Tensor
    condition_short: Tensor
    text: Tensor

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.latents)

    def conditions(self, rows: Tensor, short: Tensor) -> Tensor:
        """Conditions of some clips, each from m motion frames or from one (short [B] bool). A copy, [B, 4 + C, T, h, w]"""
        return torch.where(short.reshape(-1, 1, 1, 1, 1), self.condition_short[rows], self.condition[rows])

    @classmethod
    def encode(
        cls,
        backbone: Backbone,
        clips: Sequence[Clip],
        condition: ConditionSettings,
        progress: Callable[[int, int], None],
    ) -> "ClipCache":
        """Encode clips in blocks."""
        parts: list[tuple[Tensor, ...]] = []
        for start in range(0, len(clips), 256):
            block = clips[start : start + 256]
            frames = torch.from_numpy(np.stack([c.frames for c in block]))
            reference = torch.from_numpy(np.stack([c.reference for c in block]))
            parts.append(
                (
                    backbone.encode(frames),
                    backbone.condition(frames[:, : condition.motion_frames], reference, condition.padding),
                    backbone.condition(frames[:, :1], reference, condition.padding),
                    backbone.encode_text([c.prompt for c in block]),
                )
            )
            progress(start + len(block), len(clips))
        return cls(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def save(self, file: Path) -> None:
        """As safetensors."""
        save_file({name: tensor.contiguous() for name, tensor in vars(self).items()}, file)

    @classmethod
    def load(cls, file: Path) -> "ClipCache":
        """From safetensors."""
        return cls(**load_file(file))
