"""FramePack-style training: a clip behind a long past in the sequence, the older the smaller."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from svi.backbones.padding import unknown
from svi.generation.history import whole_latents
from svi.method.draws import keyed
from svi.method.packing import PACKED, PAST, packed
from svi.objectives.objective import Clips, Objective, Setup
from svi.objectives.sequel import Sequels


class PackedHistory(Objective):
    """Flow matching behind true earlier latents, 20 packed into two frames (FramePack, arXiv 2504.12626, without its kernels).

    How many clips came before is drawn evenly, from none to as many as fill the past. The past and the handed-on frames are at
    t = 1 and not predicted; the condition says nothing.
    """

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError for a history that no latents hold, and as `Sequels`."""
        super().__init__(setup)
        self.sequels = Sequels(setup)
        self.history = whole_latents(setup.backbone, setup.settings.condition.overlap)
        self.frames = setup.backbone.latent_shape[1]
        self.step = self.frames - self.history
        self.tokens = self.tokens * (self.frames + PACKED) // self.frames

    def inputs(self, model: nn.Module, clips: Clips, step: int) -> Clips:
        condition, before = unknown(clips.condition), (0, 0, 0, 0, PACKED, 0)
        condition["latents"] = F.pad(condition["latents"], before)
        known = torch.ones(len(clips.t), PACKED + self.history)
        t = torch.cat([known, clips.t[:, None].expand(-1, self.step)], dim=1)
        windows = torch.stack([self.window(k) for k in clips.k])
        return clips.changed(latents=windows, noise=F.pad(clips.noise, before), t=t, condition=condition)

    def window(self, k: int) -> Tensor:
        """The packed past, then the clip, of the sample with global index k. [C, 2 + T, h, w]"""
        row = self.draws[k].clip
        room = self.sequels.room(row, -(-PAST // self.step))
        clips = int(torch.randint(room + 1, (), generator=keyed("packed history", self.seed, k)))
        film = self.backbone.encode(torch.stack([self.sequels.frames(row, clip) for clip in range(clips + 1)]))
        older = film[:-1, :, : self.step].transpose(0, 1).flatten(1, 2)
        return torch.cat([packed(older[None])[0], film[-1]], dim=1)
