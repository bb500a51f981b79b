"""Clips of random numbers in the place of a latent cache: what a training or a film is measured with."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from svi.data.cache import Batch


class RandomClips:
    """What a latent cache gives (svi.data.cache.LatentCache), of tensors whose first side is clips."""

    references = 1

    def __init__(self, latents: Tensor, condition: Mapping[str, Tensor], text: Tensor) -> None:
        self.latents, self.condition, self.text = latents, condition, text

    def __len__(self) -> int:
        return len(self.latents)

    def batch(self, rows: Sequence[int], short: Sequence[bool], reference: Sequence[int]) -> Batch:
        """Clips of these rows, all as long as they are."""
        picked = list(rows)
        condition = {name: given[picked] for name, given in self.condition.items()}
        return Batch(self.latents[picked], condition, self.text[picked])
