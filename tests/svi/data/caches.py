"""Small latent caches: what they are written from, and what lies in them."""

from pathlib import Path
from typing import ClassVar

import torch

from svi.backbones.tiny import Codec, TinyBackbone
from svi.data.footage import Clip, WorldFootage
from svi.settings import ConditionSettings, DataSettings, TinySettings

SMALL = DataSettings(clips=10, shard_clips=4, references=3)
CONDITION = ConditionSettings(motion_frames=3)


def make_backbone(data: DataSettings) -> TinyBackbone:
    """A codec fitted to noise, and a transformer that nothing asks."""
    settings = TinySettings(layers=1, heads=1, head_dim=12, ffn_dim=16)
    noise = torch.randint(0, 256, (4, 16, 16, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return TinyBackbone.create(Codec.fit(noise, settings.codec_patch, settings.latent_channels), settings, data)


class Rendered(WorldFootage):
    """The embedded world's clips, each rendered once for all tests."""

    clips: ClassVar[dict[tuple[str, int], Clip]] = {}

    def read(self, i: int) -> Clip:
        if (self.fingerprint, i) not in self.clips:
            self.clips[self.fingerprint, i] = super().read(i)
        return self.clips[self.fingerprint, i]


def quiet(done: int, total: int) -> None:
    """No progress."""


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}
