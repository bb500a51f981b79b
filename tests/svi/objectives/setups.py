"""What objectives are made from in tests: a tiny or a real Wan's backbone, and settings as a stage reads them."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from svi.axes import ResamplingSettings
from svi.backbones.backbone import Backbone
from svi.backbones.wan import WanBackbone
from svi.data.cache import LatentCache
from svi.lora import adapter as lora
from svi.objectives.objective import Objective, Setup
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, FlowSettings, TrainSettings
from svi.training.loop import train
from tests.svi.conftest import CONDITION, make_cache
from tests.svi.wan_folder import Kind

TRAIN = TrainSettings(steps=2, batch=2, lr=1e-3, rank=4, alpha=4)
EXPERTS: list[tuple[Kind, str]] = [
    ("wan2.1-i2v", "transformer"),
    ("wan2.2-i2v", "transformer"),
    ("wan2.2-i2v", "transformer_2"),
    ("wan2.2-ti2v", "transformer"),
]


def setup(
    backbone: Backbone,
    data: LatentCache,
    condition: ConditionSettings = CONDITION,
    folder: Path = Path("nowhere"),
    expert: str | None = None,
    **sections: Any,
) -> Setup:
    """Of the first expert, unless one is named. `sections` are those that an objective reads beside flow, condition and train."""
    usual = {"flow": FlowSettings(), "condition": condition, "train": TrainSettings(steps=10)}
    read = SimpleNamespace(**{**usual, "resampling": ResamplingSettings(), **sections})
    expert = expert or next(iter(backbone.transformers))
    return Setup(backbone, data, read, 0, folder, backbone.transformers[expert], expert)


def wan(folder: Path, cache: Path, condition: ConditionSettings) -> tuple[WanBackbone, LatentCache]:
    """A real Wan of random weights with its first expert, and three clips encoded by it."""
    data = DataSettings(clips=3, clip_frames=9, height=32, width=64)
    settings = BackboneSettings(name="folder", text_tokens=16)
    backbone = WanBackbone.load(folder, settings, data, ("transformer",))
    return backbone, make_cache(backbone, cache, condition, data)


def noisy_mean(given: Setup, objective: Objective, samples: range) -> Tensor:
    """The mean error of these samples over their noisy frames, each sample weighing alike; some of their frames are clean, and
    nothing is given in their condition."""
    clips = objective.inputs(given.model, objective.clips(samples), 0)
    assert not any(x.any() for x in clips.condition.values())
    assert (clips.t == 1).any()
    v = given.backbone.velocity(given.model, clips.x_t, clips.t, clips.condition, clips.text)
    error = (v - (clips.latents - clips.noise)).square().mean(dim=(1, 3, 4))
    return torch.stack([row[t < 1].mean() for row, t in zip(error, clips.t, strict=True)]).mean()


def taught(given: Setup, objective: Objective, patterns: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """The errors at these times of the latent frames, before and after a short real training of all weights."""
    clips = objective.inputs(given.model, objective.clips(range(1000, 1016)), 0)

    @torch.no_grad()
    def errors() -> list[float]:
        found = [clips.changed(t=torch.tensor([pattern] * 16)) for pattern in patterns]
        return [float(objective.matched(given.model, one)) for one in found]

    before = errors()
    settings = TRAIN.model_copy(update={"steps": 100, "batch": 8, "lr": 5e-3, "adapter": "full"})
    train(lora.adapted(given.backbone, settings), objective, settings, given.folder, lambda done, total: None)
    return list(zip(before, errors(), strict=True))


def moved(given: Setup, objective: Objective) -> float:
    """How far two steps move a LoRA, at most."""
    model = lora.adapted(given.backbone, TRAIN, given.expert)
    train(model, objective, TRAIN, given.folder, lambda done, total: None)
    return max(float(p.detach().abs().max()) for name, p in model.named_parameters() if "lora_B" in name)
