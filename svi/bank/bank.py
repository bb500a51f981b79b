"""The error bank: past one-step errors of the model, kept by timestep slot in a file."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from svi.artifacts import BANK
from svi.bank.file import DTYPES, BankFile, Layout
from svi.bank.sketch import NO_SKETCH, Sketch, Sketcher, squared_distance
from svi.error_settings import BankSettings
from svi.method.recycle import Errors, errors_of

SMALL = 1 << 24  # bytes of a slot up to which all of it is compared
SKETCH_SHARE = 112  # an entry has so many times the bytes of its sketch: the index of 8 ranks stays below 1 %
MAPPING = ("count", "next", "rows", "times")


class Peers(Protocol):
    """The ranks of a node, which share one bank."""

    rank: int
    size: int

    def barrier(self) -> None:
        """Wait for all of them."""


class New(NamedTuple):
    """An error to add: its slot, entry [1 or 2, C, T, h, w], t, the generator of a random replacement, and whose error it is."""

    slot: int
    entry: Tensor
    t: float
    generator: torch.Generator
    origin: int = -1


def layout_of(slots: int, shape: tuple[int, ...], settings: BankSettings, *, both: bool) -> Layout:
    """What the file of a bank holds; sketches only where an add would otherwise read more than a little."""
    errors = 2 if both and settings.lists == 1 else 1
    layout = Layout(slots * settings.lists, settings.capacity, (errors, *shape), settings.dtype)
    if settings.replacement == "l2" and settings.capacity * layout.entry_bytes > SMALL:
        return replace(layout, sketch=layout.entry_bytes // SKETCH_SHARE | 1)
    return layout


class ErrorBank:
    """Errors in `slots` slots of `capacity` entries each (arXiv 2510.09212, section 4.3).

    With the truth by integration an entry is the residual r and its t, from which both errors follow (E_vid = (1 - t) r,
    E_noi = -t r): half the memory of two lists. With the clean truth an entry holds both errors as they are. With two lists
    (settings.lists, the authors' code) E_vid of slot s lies in slot s of the file and E_noi in slot `slots` + s, each as it is:
    both lists grow together, then each gives up an entry of its own. Entries lie in the file `folder`/bank-`rank`.bin, which
    must belong to this training alone; a step touches only the few that it needs. For one thread at a time.
    """

    def __init__(
        self,
        slots: int,
        shape: tuple[int, ...],
        settings: BankSettings,
        folder: Path,
        *,
        both: bool = False,
        rank: int = 0,
        peers: Peers | None = None,
    ) -> None:
        """Empty, until `load_state_dict`. `shape` of one latent [C, T, H, W]; `both`: an entry is E_vid and E_noi instead of r.

        `rank` names the file: the process's own, or that of the node when its ranks, `peers`, share the bank (all of them construct
        it). Raises ValueError when the disk has no room for the full bank, or the file is another's.
        """
        self.slots, self.settings, self.both, self.peers = slots, settings, both, peers
        self.origins = np.full((slots, settings.capacity), -1)
        """What this process said of the entries that it added, in particular whose errors they are. [slots, capacity]"""
        self.read = 0  # entries read so far to find nearest ones
        layout = layout_of(slots, shape, settings, both=both)
        self.sketcher = Sketcher(layout.values, layout.sketch) if layout.sketch else None
        self._scratch = torch.empty(0, dtype=DTYPES[settings.dtype])
        path = folder / BANK.format(rank)
        if self._leads:
            self.file = BankFile(path, layout)
        self._barrier()
        if not self._leads:
            self.file = BankFile(path, layout, leader=False)

    @property
    def _leads(self) -> bool:
        return self.peers is None or self.peers.rank == 0

    def _barrier(self) -> None:
        if self.peers is not None:
            self.peers.barrier()

    @property
    def fill(self) -> float:
        """Share of all positions that hold an error."""
        return float(self.file.count.sum()) / self.file.layout.full_entries

    @property
    def count(self) -> NDArray[np.int64]:
        """Entries a slot. [slots]"""
        counts: NDArray[np.int64] = self.file.count[: self.slots]
        return counts

    @property
    def own_bytes(self) -> int:
        """Memory of this process beside the file."""
        return self._scratch.nbytes + (self.sketcher.bytes if self.sketcher else 0)

    def entries(self, slot: int) -> Tensor:
        """All entries of a slot in the order of their positions, float32. [count, 1 or 2, C, T, H, W]"""
        return self.file.entries(slot).float()

    def add_all(self, new: Sequence[New]) -> list[int]:
        """Add this process's errors of a step, ranks that share the bank in turn, and return their positions.

        Every rank that shares the bank calls this once a step, even with none to add; the result is that of one process
        adding all in rank order.
        """
        if self.peers is None:
            return [self.add(*one) for one in new]
        self._barrier()  # nobody reads any more
        positions: list[int] = []
        for rank in range(self.peers.size):
            if rank == self.peers.rank:
                positions = [self.add(*one) for one in new]
            self._barrier()
        return positions

    def add(self, slot: int, entry: Tensor, t: float, generator: torch.Generator, origin: int = -1) -> int:
        """Store an entry [1 or 2, C, T, H, W] and return its position; of two lists, that of E_vid.

        A full slot replaces the nearest entry in L2 distance, a random one, or the oldest. Raises ValueError when the disk is full.
        """
        if self.settings.lists == 1:
            position = self._put(slot, entry, t, generator)
        else:
            errors = Errors(*entry) if self.both else errors_of(entry[0].float(), torch.tensor(t))
            position = self._put(slot, errors.vid[None], t, generator)
            self._put(self.slots + slot, errors.noi[None], t, generator)
        self.origins[slot, position] = origin
        return position

    def _put(self, slot: int, entry: Tensor, t: float, generator: torch.Generator) -> int:
        """The same, in one slot of the file."""
        file, count = self.file, int(self.file.count[slot])
        stored = entry.to(DTYPES[self.settings.dtype])
        values = stored.float().flatten()
        sketch = self.sketcher.sketch(values) if self.sketcher else NO_SKETCH
        if count < self.settings.capacity:
            position = count
        elif self.settings.replacement == "l2":
            position = self._nearest(slot, values, sketch)
        elif self.settings.replacement == "random":
            position = int(torch.randint(count, (), generator=generator))
        else:
            position = int(file.next[slot])
        file.put(slot, position, stored, t, sketch)
        file.next[slot] = (position + 1) % self.settings.capacity
        return position

    def _nearest(self, slot: int, values: Tensor, sketch: Sketch) -> int:
        """The position of a full slot with the smallest exact distance: of those whose sketches do not rule it out."""
        if not self.sketcher:
            self.read += self.settings.capacity
            others = self.file.entries(slot, out=self._scratch).float()
            return int(others.flatten(1).sub_(values).square_().sum(1).argmin())
        bounds = self.sketcher.at_least(sketch, *self.file.sketched(slot))
        best, position = math.inf, 0
        for bound, candidate in sorted(zip(bounds.tolist(), range(len(bounds)), strict=True)):
            if bound > best:
                break
            self.read += 1
            distance = squared_distance(values, self.file.entry(slot, candidate).flatten())
            best, position = min((best, position), (distance, candidate))
        return position

    def sample(self, slot: int, generator: torch.Generator) -> Errors | None:
        """Both errors of a random entry of the slot, each [C, T, H, W] float32; None while the slot is empty.

        Of two lists, those at one random position, which need not come from one sample.
        """
        count = int(self.file.count[slot])
        if count == 0:
            return None
        return self._errors(slot, int(torch.randint(count, (), generator=generator)))

    def sample_any(
        self,
        generator: torch.Generator,
        evenly_over: Literal["slots", "entries"] = "slots",
        allowed: NDArray[np.bool_] | None = None,
    ) -> Errors | None:
        """Both errors of a random entry: of a random filled slot (paper: uniform over t), or of all entries (authors' code).

        Of the entries at positions that are `allowed` alone, [slots, capacity]; empty ones are not drawn. None where there is none.
        """
        held = None if allowed is None else allowed & self.held
        counts = self.count if held is None else held.sum(axis=1)
        filled = counts.nonzero()[0]
        if len(filled) == 0:
            return None
        if evenly_over == "slots":
            slot = int(filled[int(torch.randint(len(filled), (), generator=generator))])
            position = int(torch.randint(int(counts[slot]), (), generator=generator))
        else:
            ends = counts.cumsum()
            drawn = int(torch.randint(int(ends[-1]), (), generator=generator))
            slot = int(ends.searchsorted(drawn, side="right"))
            position = drawn - int(ends[slot] - counts[slot])
        return self._errors(slot, position if held is None else int(held[slot].nonzero()[0][position]))

    @property
    def held(self) -> NDArray[np.bool_]:
        """Which positions hold an error. [slots, capacity]"""
        return np.arange(self.settings.capacity) < self.count[:, None]

    def _errors(self, slot: int, position: int) -> Errors:
        entry = self.file.entry(slot, position)
        if self.settings.lists == 2:
            noi = self.file.entry(self.slots + slot, position)
            return Errors(entry[0].to(torch.float32, copy=True), noi[0].to(torch.float32, copy=True))
        if self.both:
            return Errors(*entry.to(torch.float32, copy=True))
        vid, noi = errors_of(entry.float(), torch.tensor([self.file.times[slot, position]]))
        return Errors(vid[0], noi[0])

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs: a few numbers for each position, and the stamp by which the file knows this state.

        The entries stay in the file, which keeps those of this state and of the one last settled whatever is added after.
        Ranks that share the bank call it together.
        """
        file = self.file
        self._barrier()
        if self._leads:
            file.hold()
        self._barrier()
        arrays = {name: torch.from_numpy(getattr(file, name).copy()) for name in MAPPING}
        return {"stamp": file.stamp, "origins": torch.from_numpy(self.origins.copy()), **arrays}

    def settle(self) -> None:
        """The last state_dict is durable: the entries that only the one before it had may go."""
        if self._leads:
            self.file.settle()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Be as at that state_dict, which must be the last or the last settled one; ranks that share the bank call it together.

        Raises ValueError if the file holds no such state.
        """
        self.file.which(state.get("stamp"))
        self._barrier()
        if self._leads:
            self.file.restore(state["stamp"], {name: state[name].numpy() for name in MAPPING})
        if "origins" in state:  # a checkpoint from before there were any has none, and nobody who would ask
            self.origins = state["origins"].numpy().copy()
        self._barrier()

    def close(self, *, remove: bool = False) -> None:
        """Unmap the file and let go of it; `remove` it too, once nobody will resume from it."""
        self.file.close(remove=remove and self._leads)
