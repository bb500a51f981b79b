"""A real tiny backbone on a few clips of the embedded world."""

import numpy as np
import pytest
import torch

from svi.data import ClipCache, world_clips
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from svi.tiny import Codec, TinyBackbone

torch.set_num_threads(1)

DATA = DataSettings(clips=24)
BACKBONE = BackboneSettings(layers=1, heads=2, head_dim=12, ffn_dim=32)
CONDITION = ConditionSettings(motion_frames=1, padding="repeat")


def make_backbone() -> TinyBackbone:
    """A fresh one; the same weights every time."""
    clips = world_clips(DATA)
    codec = Codec.fit(
        torch.from_numpy(np.concatenate([c.frames for c in clips])), BACKBONE.codec_patch, BACKBONE.latent_channels
    )
    return TinyBackbone.create(codec, BACKBONE, DATA)


@pytest.fixture
def backbone() -> TinyBackbone:
    return make_backbone()


@pytest.fixture
def cache(backbone: TinyBackbone) -> ClipCache:
    return ClipCache.encode(backbone, world_clips(DATA), CONDITION, lambda done, total: None)
