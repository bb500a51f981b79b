"""What truly follows a training clip: later clips of the same footage, a film's step apart."""

import torch
from torch import Tensor

from svi.data.footage import open_footage
from svi.objectives.objective import Setup


class Sequels:
    """Clips by their row in the latent cache and how many clips of a film later they are; drawn or decoded when they are read."""

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError for a latent cache that lacks clips of its footage: its rows are then other clips."""
        read = setup.settings
        self.footage = open_footage(read.data)
        self.hop: int = read.data.clip_frames - read.condition.overlap
        if setup.data.written != len(self.footage):
            raise ValueError(
                f"the latent cache has {setup.data.written} of {len(self.footage)} clips, so that its rows are not those of the "
                "footage; remove the files that the data stage lists as torn, and run again"
            )

    def room(self, row: int, most: int) -> int:
        """How many clips follow it in its video, at most `most`."""
        return min(most, self.footage.room(row) // self.hop)

    def frames(self, row: int, clips: int) -> Tensor:
        """The clip that begins so many clips later. [L, H, W, 3] uint8; raises Unreadable."""
        return torch.from_numpy(self.footage.later(row, clips * self.hop).frames)
