"""How the latent frames of a window are shared out in a stream: clean ones of the past, then chunks at rising noise."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Partition:
    """N chunks of c latent frames, as many as a window holds; what is left over before them are K reference frames, clean.

    StreamDiT's (K, N, c); chunks of one frame are Rolling Diffusion (arXiv 2402.09470). `lead`: places before them that hold
    nothing but noise.
    """

    lead: int
    reference: int
    chunks: int
    chunk: int

    @classmethod
    def of(cls, clip_frames: int, latent_frames: int, chunk: int) -> "Partition":
        """Of the window of a clip of so many frames.

        Where a latent holds several frames the first one of a clip holds one: no chunk of a stream ever has its place.
        """
        lead = int(clip_frames > latent_frames)
        chunks, reference = divmod(latent_frames - lead, chunk)
        return cls(lead, reference, chunks, chunk)

    @property
    def buffer(self) -> int:
        """Latent frames of all chunks."""
        return self.chunks * self.chunk

    def times(self, u: float) -> Tensor:
        """t of each place, [T] float64: 0 in the lead, 1 for the reference, t_i = 1 - (i - 1 + u) / N in chunk i, the oldest first.

        u falls from 1, where the newest chunk is noise, to 0, where the oldest is done.
        """
        diagonal = 1 - (torch.arange(self.chunks, dtype=torch.float64) + u) / self.chunks
        before = [torch.zeros(self.lead, dtype=torch.float64), torch.ones(self.reference, dtype=torch.float64)]
        return torch.cat([*before, diagonal.repeat_interleave(self.chunk)])
