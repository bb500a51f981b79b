"""Random draws keyed by (seed, step, sample), so that they depend neither on the number of ranks nor on a resume."""

import hashlib

import torch

_HALF = 2**63


def keyed_seed(*key: int | str) -> int:
    """A 63-bit seed from a key."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8]) % _HALF


def keyed(*key: int | str) -> torch.Generator:
    """A fresh CPU generator for a key."""
    return torch.Generator().manual_seed(keyed_seed(*key))


class Order:
    """Shuffled epochs: which clip the k-th sample of a training run is."""

    def __init__(self, clips: int, seed: int) -> None:
        """Of `clips` clips."""
        self.clips, self.seed = clips, seed
        self._epoch, self._permutation = -1, torch.empty(0)

    def __getitem__(self, k: int) -> int:
        """Index of the clip, from the permutation of the epoch that k lies in."""
        epoch, place = divmod(k, self.clips)
        if epoch != self._epoch:
            self._epoch, self._permutation = (
                epoch,
                torch.randperm(self.clips, generator=keyed("epoch", self.seed, epoch)),
            )
        return int(self._permutation[place])
