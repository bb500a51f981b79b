"""Random draws keyed by (seed, step, sample), so that they depend neither on the number of ranks nor on a resume."""

import hashlib

import torch


def keyed(*key: int | str) -> torch.Generator:
    """A fresh CPU generator for a key."""
    seed = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8])
    return torch.Generator().manual_seed(seed % 2**63)


class Order:
    """Shuffled epochs: which clip the k-th sample of a training run is."""

    def __init__(self, clips: int, seed: int) -> None:
        self.clips, self.seed = clips, seed
        self._epoch, self._permutation = -1, torch.empty(0)

    def __getitem__(self, k: int) -> int:
        """Index of the clip, from the permutation of the epoch that k lies in."""
        epoch, index = divmod(k, self.clips)
        if epoch != self._epoch:
            self._epoch, self._permutation = (
                epoch,
                torch.randperm(self.clips, generator=keyed("epoch", self.seed, epoch)),
            )
        return int(self._permutation[index])
