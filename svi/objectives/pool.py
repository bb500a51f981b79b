"""Training clips that a model's own rollouts gave, and how they take the place of true ones."""

from typing import Any

import torch
from torch import Tensor

from svi.data.cache import Batch
from svi.objectives.objective import Clips


class Pool:
    """Clips, each with the condition that the model met on its own films; empty at first."""

    def __init__(self) -> None:
        self.clips: Batch | None = None

    def __len__(self) -> int:
        return 0 if self.clips is None else len(self.clips.latents)

    def add(self, new: Batch) -> None:
        """Beside those that are there."""
        old = self.clips
        if old is not None:
            condition = {name: torch.cat([old.condition[name], more]) for name, more in new.condition.items()}
            new = Batch(torch.cat([old.latents, new.latents]), condition, torch.cat([old.text, new.text]))
        self.clips = new

    def mixed(self, clips: Clips, share: float) -> Clips:
        """Each sample, with probability `share`, with the latents, condition and text of one of these; its t and noise stay."""
        if self.clips is None:
            return clips
        own = torch.stack([torch.rand((), generator=source) < share for source in clips.generators])
        which = torch.stack([torch.randint(len(self), (), generator=source) for source in clips.generators])

        def picked(mine: Tensor, true: Tensor) -> Tensor:
            return torch.where(own.reshape(-1, *[1] * (true.dim() - 1)), mine[which], true)

        condition = {name: picked(mine, clips.condition[name]) for name, mine in self.clips.condition.items()}
        latents, text = picked(self.clips.latents, clips.latents), picked(self.clips.text, clips.text)
        return clips.changed(latents=latents, condition=condition, text=text)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.clips is None else vars(self.clips)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.clips = Batch(**state) if state else None
