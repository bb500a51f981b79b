"""A critic: a second model with an optimiser of its own, trained beside the first."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from svi.backbones.speed import default_device
from svi.settings import TrainSettings
from svi.training import ranks
from svi.training.engine import checkpoint_activations


def twin(model: nn.Module) -> nn.Module:
    """A copy of a model, on this process's device: what is trained is its own, what is frozen it shares.

    So beside a LoRA it costs no more than one.
    """
    frozen = {id(weight): weight for weight in model.parameters() if not weight.requires_grad}
    return deepcopy(model, frozen).to(default_device())


class Critic:
    """A twin of a model, kept alike on all ranks (AdamW with beta1 = 0, as in Self-Forcing's code)."""

    def __init__(self, model: nn.Module, settings: TrainSettings, share: float) -> None:
        """`share` of the training's learning rate."""
        ranks.join()
        self.model, self.grad_clip = twin(model), settings.grad_clip
        checkpoint_activations(self.model, settings.checkpointing)
        self.weights = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        self.optimiser = torch.optim.AdamW(
            self.weights.values(), lr=share * settings.lr, betas=(0.0, 0.999), weight_decay=settings.weight_decay
        )
        self.last = 0.0

    def update(self, losses: Sequence[Any]) -> None:
        """One step on the mean over micro-batches, each a function that computes its loss."""
        self.optimiser.zero_grad()
        total = 0.0
        for loss_of in losses:
            loss: Tensor = loss_of() / len(losses)
            torch.autograd.backward(loss)
            total += float(loss.detach())
        for weight in self.weights.values():
            if weight.grad is not None:
                weight.grad.copy_(ranks.mean(weight.grad))
        nn.utils.clip_grad_norm_(self.weights.values(), self.grad_clip)
        self.optimiser.step()
        self.last = total

    def state_dict(self) -> dict[str, Any]:
        weights = {name: weight.detach() for name, weight in self.weights.items()}
        return {"weights": weights, "optimiser": self.optimiser.state_dict()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, weight in self.weights.items():
            weight.copy_(state["weights"][name])
        self.optimiser.load_state_dict(state["optimiser"])
