"""Error recycling on a few clips, step by step."""

from collections.abc import Callable

import torch
from torch import Tensor

from svi.error_settings import InjectionSettings
from svi.objectives.error_recycling import ErrorRecycling

BATCH, MICRO = 4, 2
INJECTION = InjectionSettings(img_run=1, img_spread="tile", p_clean=0.3, p_noi=0.3)
Make = Callable[..., ErrorRecycling]


def steps(objective: ErrorRecycling, todo: range, *, ahead: bool) -> list[Tensor]:
    """The losses of these steps, each propagated back; `ahead`: samples of the next step are prepared during the one before."""
    model = objective.backbone.transformers["transformer"]
    losses = []
    for step in todo:
        samples, following = (range(s * BATCH, (s + 1) * BATCH) for s in (step, step + 1))
        for loss in objective.losses(model, samples, MICRO, step, following if ahead else range(0)):
            torch.autograd.backward(loss)
            losses.append(loss.detach())
    return losses


def contents(objective: ErrorRecycling) -> list[Tensor]:
    objective.state_dict()  # waits for the thread
    return [objective.bank.entries(slot) for slot in range(10)]
