"""What a training step minimises: the protocol of svi/objectives/, and the tokens that a clip has."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Protocol

from torch import Tensor, nn

from svi.backbones.backbone import Backbone


class TrainingObjective(Protocol):
    """The losses of training steps, and the state that a resume needs: none where every draw is keyed by its sample."""

    tokens: int
    """That a clip gives the transformer."""

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        """The mean loss of each micro-batch of `micro` clips, to be propagated back before the next is asked for.

        `samples` are the global indices of this rank's samples of the step, `following` those of the step after it.
        """

    def log(self) -> dict[str, float]:
        """What to log beside the loss of the last step."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """After a resume."""
        return

    def settle(self) -> None:
        """The last state_dict is safely on disk: what only the one before it needs may go."""
        return


def tokens_of(backbone: Backbone, expert: str) -> int:
    """Latent tokens of a clip, after the transformer's patches."""
    transformer: Any = backbone.transformers[expert]
    patch: Sequence[int] = transformer.config.patch_size
    return prod(backbone.latent_shape[1:]) // prod(patch)
