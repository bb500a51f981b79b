"""What a training may spend: optimiser steps, or the token-evaluations of so many plain ones."""

import torch
import torch.distributed as dist

from svi.backbones.meter import Meter
from svi.settings import TrainSettings
from svi.training import ranks


class Budget:
    """How far a training is: `spent` of `whole`, in steps, or (train.budget=evaluations) in the tokens that its meter counts.

    A plain step evaluates the tokens of train.batch clips once. With a budget of evaluations an objective that makes rollouts,
    or asks a teacher, takes fewer steps than train.steps; it ends with the step that spends the last of it.
    """

    def __init__(self, settings: TrainSettings, meter: Meter | None = None, clip_tokens: int = 0) -> None:
        """`clip_tokens` of a clip, after the transformer's patches. Raises ValueError for evaluations that nobody counts."""
        self.meter = meter or Meter()
        self.steps = 0
        """Taken so far."""
        self._by_steps = settings.budget == "steps"
        self.whole = settings.steps if self._by_steps else settings.steps * settings.batch * clip_tokens
        if not self._by_steps and (meter is None or not clip_tokens):
            raise ValueError("train.budget=evaluations needs a meter of the transformer and the tokens of a clip")

    @property
    def spent(self) -> int:
        """Of all ranks, which ask together."""
        return self.steps if self._by_steps else self.tokens

    @property
    def tokens(self) -> int:
        """Token-evaluations of all ranks so far, which ask together."""
        mean = ranks.mean(torch.tensor(float(self.meter.tokens), dtype=torch.float64))
        return round(float(mean) * dist.get_world_size())
