"""How often transformers are evaluated, and on how many tokens: what a training or a film costs on any machine."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from torch import nn

from svi.backbones.wrapped import bare


class Meter:
    """Counts forward passes: of one's own rollouts, of teachers and critics, with gradients or without.

    `calls` one after the other; `evaluations` of one clip each, so that a batch of 8 is 8; `tokens` of all of these, after the
    transformer's patches. What caching hooks skip inside a pass is not taken off. `whole`: whether all passes were counted.
    """

    def __init__(self) -> None:
        self.calls, self.evaluations, self.tokens = 0, 0, 0
        self.whole = True

    def watch(self, transformer: nn.Module) -> None:
        """Count from now on, also of deep copies that are made of it later; it may be wrapped before or after."""
        wan = bare(transformer)
        patch: Sequence[int] = wan.config.patch_size

        # A function, no method: a deep copy of the model would count in a copy of this object.
        def count(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            batch, _, *latent = (named["hidden_states"] if "hidden_states" in named else given[0]).shape
            self.calls += 1
            self.evaluations += batch
            self.tokens += batch * prod(latent) // prod(patch)

        wan.register_forward_pre_hook(count, with_kwargs=True)

    def state_dict(self) -> dict[str, int]:
        return {"calls": self.calls, "evaluations": self.evaluations, "tokens": self.tokens}

    def load_state_dict(self, state: Mapping[str, int] | None) -> None:
        """Go on from there; None: passes were made that nobody counted."""
        if state is None:
            self.whole = False
            return
        self.calls, self.evaluations, self.tokens = state["calls"], state["evaluations"], state["tokens"]
