"""A real tiny backbone on a few clips of the embedded world, and random Wans in files."""

from functools import cache as cache_results
from pathlib import Path

import numpy as np
import pytest
import torch

from svi.backbones.backbone import Backbone
from svi.backbones.tiny import Codec, TinyBackbone
from svi.data.cache import LatentCache
from svi.data.cache_writer import write_cache
from svi.data.footage import WorldFootage
from svi.settings import ConditionSettings, DataSettings, TinySettings
from tests.svi.wan_folder import Kind, WanFolder, write_wan_folder

torch.set_num_threads(1)

DATA = DataSettings(clips=24)
BACKBONE = TinySettings(layers=1, heads=2, head_dim=12, ffn_dim=32)
CONDITION = ConditionSettings(motion_frames=1, padding="repeat")


def make_backbone(data: DataSettings = DATA) -> TinyBackbone:
    """A fresh one; the same weights every time."""
    footage = WorldFootage(data)
    frames = np.concatenate([footage.read(i).frames for i in range(len(footage))])
    codec = Codec.fit(torch.from_numpy(frames), BACKBONE.codec_patch, BACKBONE.latent_channels)
    return TinyBackbone.create(codec, BACKBONE, data)


def make_cache(
    backbone: Backbone, folder: Path, condition: ConditionSettings = CONDITION, data: DataSettings = DATA
) -> LatentCache:
    """All clips, encoded into a folder."""
    write_cache(backbone, WorldFootage(data), condition, data, folder, lambda done, total: None)
    return LatentCache.open(folder)


@pytest.fixture(scope="session")
def wan_folder(tmp_path_factory: pytest.TempPathFactory) -> WanFolder:
    """A Wan of each kind, made once: copy what you change."""

    @cache_results
    def made(kind: Kind) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        write_wan_folder(folder, kind)
        return folder

    return made


@pytest.fixture
def backbone() -> TinyBackbone:
    return make_backbone()


@pytest.fixture
def cache(backbone: TinyBackbone, tmp_path: Path) -> LatentCache:
    return make_cache(backbone, tmp_path / "cache")
