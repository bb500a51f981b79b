"""Streaming, the fine-tuning's objective: windows whose chunks are at rising noise, and ordinary clips to begin a stream with."""

import torch
from torch import Tensor, nn

from svi.backbones.padding import unknown
from svi.method.draws import keyed
from svi.method.partition import Partition
from svi.objectives.objective import Clips, Objective, Setup
from svi.parts import EACH_FRAME


class Stream(Objective):
    """Flow matching with a buffer's noise (StreamDiT, arXiv 2507.03745; with chunks of one frame Rolling Diffusion, 2402.09470).

    t_i = 1 - (i - 1 + u) / N in chunk i, one u ~ U[0, 1) a sample. A share of samples (stream.whole) are ordinary clips: one chunk
    of all frames, at a time of their own, behind the first one. The condition says nothing; frames at t = 1 are given, not
    predicted.
    """

    gives = (EACH_FRAME,)

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError as `StreamSettings.check_chunk`."""
        super().__init__(setup)
        self.stream = setup.settings.stream
        self.frames = setup.backbone.clip_frames, setup.backbone.latent_shape[1]
        self.stream.check_chunk(*self.frames)
        self.own = Partition.of(*self.frames, self.stream.chunk)

    def inputs(self, model: nn.Module, clips: Clips, step: int) -> Clips:
        times = [self.times(k, t) for k, t in zip(clips.k, clips.t, strict=True)]
        return clips.changed(t=torch.stack(times), condition=unknown(clips.condition))

    def times(self, k: int, t: Tensor) -> Tensor:
        """The times of the sample with global index k, [T]; t: that of all frames, if it is an ordinary clip.

        An expert learns the windows that it is asked for, those whose noisiest place lies in its span, and ordinary clips else.
        """
        generator = keyed("stream", self.seed, k)
        whole, u = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
        partition = self.own
        if self.stream.mixed:
            chunk = int(torch.randint(1, self.stream.largest_chunk(*self.frames) + 1, (), generator=generator))
            partition = Partition.of(*self.frames, chunk)
        times, (low, high) = partition.times(u), self.draws.span
        if whole >= self.stream.whole and low <= 1 - float(times.min()) < high:
            return times.to(t.dtype)
        return torch.cat([torch.ones(1, dtype=t.dtype), t.expand(self.frames[1] - 1)])
