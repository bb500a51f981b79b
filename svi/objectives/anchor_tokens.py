"""StreamingT2V-style training: the film's first image among the text's tokens, its last frames in the condition."""

import torch
from torch import Tensor, nn

from svi.data.encode import assembled, encode_clips
from svi.method.anchor_tokens import anchor_tokens
from svi.method.draws import keyed
from svi.objectives.objective import Clips, Objective, Setup
from svi.objectives.sequel import Sequels

FARTHEST = 16  # clips from the anchor to the clip that is learned


class AnchorTokens(Objective):
    """Flow matching with an image of up to 16 clips earlier in cross-attention (StreamingT2V, arXiv 2403.14773).

    What that calls appearance preservation, with tokens of latents for CLIP's; its short-term memory is the condition's motion
    frames, its blending of windows is not built.
    """

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError as `Sequels`."""
        super().__init__(setup)
        self.sequels = Sequels(setup)

    def inputs(self, model: nn.Module, clips: Clips, step: int) -> Clips:
        drawn = [self.draws[k] for k in clips.k]
        later = [self._later(draw.k, draw.clip) for draw in drawn]
        frames = torch.stack([self.sequels.frames(draw.clip, n) for draw, n in zip(drawn, later, strict=True)])
        anchors = torch.stack([self.sequels.frames(draw.clip, 0)[:1] for draw in drawn])
        found = encode_clips(self.backbone, frames, anchors, self.settings.condition)
        short = torch.tensor([int(draw.short) for draw in drawn])

        def column(name: str) -> Tensor:
            """As each sample's motion frames were drawn, of the one reference there is."""
            x = found[name][:, :, 0]
            return x[torch.arange(len(x)), short.clamp_max(x.shape[1] - 1)]

        latents, condition = assembled({name: column(name) for name in found}, self.settings.condition.anchor)
        tokens = anchor_tokens(self.backbone.encode(anchors)[:, :, 0], clips.text.shape[2])
        text = torch.cat([tokens, clips.text], dim=1)
        return clips.changed(latents=latents, condition=condition, text=text)

    def _later(self, k: int, row: int) -> int:
        """How many clips after the anchor's the sample with global index k begins, evenly."""
        room = self.sequels.room(row, FARTHEST)
        return int(torch.randint(room + 1, (), generator=keyed("anchor tokens", self.seed, k)))
