"""Samples that are given no image or no signal in training, so that films can be guided by what is left."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from svi.backbones.backbone import IMAGE, Condition
from svi.backbones.padding import without
from svi.method.draws import keyed
from svi.settings import ConditionSettings


def dropped(condition: Condition, settings: ConditionSettings, seed: int, samples: Sequence[int]) -> Condition:
    """A batch of these samples, where each keeps its image and its signals or is given zeros instead, by draws of its own."""
    signals = condition.keys() - set(IMAGE)
    ways: tuple[tuple[str, Collection[str], float], ...] = (
        ("image", IMAGE, settings.drop_image),
        ("signal", signals, settings.drop_signal if signals else 0.0),
    )
    for what, names, p in ways:
        gone = [p > 0 and float(torch.rand((), generator=keyed(f"drop {what}", seed, k))) < p for k in samples]
        if any(gone):
            condition = _where(torch.tensor(gone), without(condition, names), condition)
    return condition


def _where(gone: Tensor, nothing: Condition, condition: Condition) -> Condition:
    return {name: torch.where(gone.view(-1, *[1] * (x.dim() - 1)), nothing[name], x) for name, x in condition.items()}
