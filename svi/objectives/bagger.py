"""BAgger: films of the model itself, reversed in time, so that they begin drifted and end clean."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from svi.frames import Frames
from svi.objectives.objective import Clips, Objective, Setup
from svi.objectives.pool import Pool
from svi.objectives.rollout import Rollouts, Starts


class Bagger(Objective):
    """BAgger (arXiv 2512.12080): plain flow matching on true clips, and with p = rollout.share on clips of the model's own films,
    reversed in time.

    Every rollout.every steps there are more of them, by the model of that step (a round of DAgger). The prompt names the
    motion as it is when reversed, and clips that begin closer to the film's start than they end are left out.
    """

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError as `Rollouts` does, and for captions that no rule turns around."""
        super().__init__(setup)
        self.rollouts, self.pool = Rollouts(setup, followed=False), Pool()
        self.footage = self.rollouts.sequels.footage
        self.footage.reversed_prompt(0)
        self.overlap = setup.settings.condition.overlap

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        if step % self.settings.rollout.every == 0:
            for starts in self.rollouts.of_step(step):
                self.aggregate(model, starts)
        yield from super().losses(model, samples, micro, step, following)

    def aggregate(self, model: nn.Module, starts: Starts) -> None:
        """Cut the films of these starts, reversed, into clips and keep those that get better."""
        rolled = self.rollouts.roll(model, starts)
        later = [one.frames[:, self.overlap :] for one in rolled[1:]]
        film = np.concatenate([rolled[0].frames, *later], axis=1)[:, ::-1]
        text = self.backbone.encode_text([self.footage.reversed_prompt(row) for row in starts.rows])
        hop = self.rollouts.sequels.hop
        for at in range(0, len(rolled) * hop, hop):
            clip = film[:, at : at + self.backbone.clip_frames]
            better = drift(clip[:, 0], starts.images.numpy()) > drift(clip[:, -1], starts.images.numpy())
            if better.any():
                kept = torch.from_numpy(better)
                self.pool.add(self.rollouts.encoded(torch.from_numpy(clip[better]), starts.images[kept], text[kept]))

    def inputs(self, model: nn.Module, clips: Clips, step: int) -> Clips:
        return self.pool.mixed(clips, self.settings.rollout.share)

    def log(self) -> dict[str, float]:
        """How many reversed clips there are."""
        return {"bagger/clips": len(self.pool)}

    def state_dict(self) -> dict[str, Any]:
        return self.pool.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.pool.load_state_dict(state)


def drift(frames: Frames, images: Frames) -> NDArray[np.float64]:
    """How far colours (channel means) and contrast (deviations) of frames are from those of images. [B, H, W, 3] -> [B]"""
    look, wanted = (np.concatenate([x.mean(axis=(1, 2)), x.std(axis=(1, 2))], axis=1) for x in (frames, images))
    distance: NDArray[np.float64] = np.linalg.norm(look - wanted, axis=1)
    return distance
