"""The error bank: past one-step errors of the model, kept by timestep slot."""

from typing import Any

import torch
from torch import Tensor

from svi.recycle import Errors, errors_of
from svi.settings import BankSettings


class ErrorBank:
    """Errors in `slots` slots of `capacity` entries each (arXiv 2510.09212, section 4.3).

    With the truth by integration an entry is the residual r and its t, from which both errors follow (E_vid = (1 - t) r,
    E_noi = -t r): half the memory of two lists. With the clean truth an entry holds both errors as they are.
    """

    def __init__(self, slots: int, shape: tuple[int, ...], settings: BankSettings, *, both: bool = False) -> None:
        """`shape` of one latent [C, T, H, W]; `both`: an entry holds E_vid and E_noi instead of r."""
        self.settings = settings
        self.both = both
        entry = (2, *shape) if both else (1, *shape)
        self.entries = torch.zeros(slots, settings.capacity, *entry)
        self.times = torch.zeros(slots, settings.capacity)
        self.count = torch.zeros(slots, dtype=torch.int64)
        self.next = torch.zeros(slots, dtype=torch.int64)

    @property
    def fill(self) -> float:
        """Share of all places that hold an error."""
        return float(self.count.sum()) / self.times.numel()

    def add(self, slot: int, entry: Tensor, t: float, generator: torch.Generator) -> int:
        """Store an entry [1 or 2, C, T, H, W] and return its place.

        A full slot replaces the nearest entry in L2 distance, a random one, or the oldest.
        """
        count = int(self.count[slot])
        if count < self.settings.capacity:
            place = count
            self.count[slot] += 1
        elif self.settings.replacement == "l2":
            place = int((self.entries[slot] - entry).flatten(1).square().sum(1).argmin())
        elif self.settings.replacement == "random":
            place = int(torch.randint(count, (), generator=generator))
        else:
            place = int(self.next[slot])
        self.next[slot] = (place + 1) % self.settings.capacity
        self.entries[slot, place] = entry
        self.times[slot, place] = t
        return place

    def sample(self, slot: int, generator: torch.Generator) -> Errors | None:
        """Both errors of a random entry of the slot, each [C, T, H, W]; None while the slot is empty."""
        count = int(self.count[slot])
        if count == 0:
            return None
        return self._errors(slot, int(torch.randint(count, (), generator=generator)))

    def sample_any(self, generator: torch.Generator) -> Errors | None:
        """Both errors of a random entry of a random filled slot (E_img: uniform over t, paper); None while the bank is empty."""
        filled = self.count.nonzero().flatten()
        if len(filled) == 0:
            return None
        return self.sample(int(filled[int(torch.randint(len(filled), (), generator=generator))]), generator)

    def _errors(self, slot: int, place: int) -> Errors:
        entry = self.entries[slot, place]
        if self.both:
            return Errors(entry[0], entry[1])
        vid, noi = errors_of(entry, self.times[slot, place].reshape(1))
        return Errors(vid[0], noi[0])

    def state_dict(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {"entries": self.entries, "times": self.times, "count": self.count, "next": self.next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state; raises ValueError if its sizes differ from this bank's."""
        for name, tensor in self.state_dict().items():
            if state[name].shape != tensor.shape:
                raise ValueError(
                    f"bank {name}: checkpoint has {tuple(state[name].shape)}, this bank {tuple(tensor.shape)}"
                )
            tensor.copy_(state[name])
