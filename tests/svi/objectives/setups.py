"""What objectives are made from in tests: a tiny or a real Wan's backbone, and settings as a stage reads them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from svi.axes import ResamplingSettings
from svi.backbones.backbone import Backbone
from svi.backbones.wan import WanBackbone
from svi.data.cache import LatentCache
from svi.objectives.objective import Setup
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, FlowSettings, TrainSettings
from tests.svi.conftest import CONDITION, make_cache


def setup(backbone: Backbone, data: LatentCache, condition: ConditionSettings = CONDITION, **sections: Any) -> Setup:
    """Of the first expert. `sections` are those that an objective reads beside flow, condition and train."""
    usual = {"flow": FlowSettings(), "condition": condition, "train": TrainSettings(steps=10)}
    read = SimpleNamespace(**{**usual, "resampling": ResamplingSettings(), **sections})
    expert = next(iter(backbone.transformers))
    return Setup(backbone, data, read, 0, Path("nowhere"), backbone.transformers[expert], expert)


def wan(folder: Path, cache: Path, condition: ConditionSettings) -> tuple[WanBackbone, LatentCache]:
    """A real Wan of random weights with its first expert, and three clips encoded by it."""
    data = DataSettings(clips=3, clip_frames=9, height=32, width=64)
    settings = BackboneSettings(name="folder", text_tokens=16)
    backbone = WanBackbone.load(folder, settings, data, ("transformer",))
    return backbone, make_cache(backbone, cache, condition, data)
