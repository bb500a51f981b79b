"""Rolling out the model that is trained: clips one after the other from true frames, as films are made, without gradient."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from svi.backbones.backbone import Condition
from svi.data.cache import Batch
from svi.data.encode import assembled, encode_clips
from svi.frames import Frames
from svi.generation.clips import ClipLoop
from svi.generation.denoiser import Denoiser
from svi.generation.loop import State
from svi.method.draws import keyed
from svi.method.flow import EVERYWHERE
from svi.objectives.objective import Setup
from svi.objectives.sequel import Sequels
from svi.training import ranks


@dataclass
class Starts:
    """Films that start with the first frames of training clips (protocol: svi.generation.loop.Films), each with a name that its
    draws are keyed by, and the clip's row in the latent cache."""

    names: Sequence[str]
    rows: Sequence[int]
    images: Tensor
    prompt: Tensor
    negative: Tensor
    clips: int
    shape: tuple[int, int, int, int]
    seed: int

    def text(self, clip: int) -> Tensor:
        """The clip's own prompt, all along."""
        return self.prompt

    def signals(self, clip: int) -> Condition:
        """None: what a later clip would follow is in no cache."""
        return {}

    def noise(self, clip: int) -> Tensor:
        """[B, C, T, h, w]"""
        sources = [keyed("rollout", self.seed, name, clip) for name in self.names]
        return torch.stack([torch.randn(self.shape, generator=source) for source in sources])


@dataclass(frozen=True)
class Rolled:
    """One more clip of some films: its frames [B, L, H, W, 3] uint8, and what the clip after it is conditioned on."""

    frames: Frames
    after: Condition


class Rollouts:
    """Films of the model as it is, and the true clips that belong to them."""

    def __init__(self, setup: Setup, followed: bool, guided: bool = False) -> None:
        """`followed`: films start where the true video goes on behind them; `guided`: a negative prompt is asked for even where
        films are not guided.

        Films are of rollout.clips clips, or of as many as a tenth of the clips that go on at all have behind them, so that one long
        video among short ones is not all that films start from; `clips` says how many. Raises ValueError for an expert
        that cannot make a clip alone, weights in pieces, a cache that lacks clips, and videos that end with a clip.
        """
        read = setup.settings
        self.backbone, self.data, self.expert, self.settings = setup.backbone, setup.data, setup.expert, read
        self.sequels, self.seed = Sequels(setup), setup.seed
        self._check()
        room = [self.sequels.room(row, read.rollout.clips) for row in range(len(self.data))]
        longest = sorted(filter(None, room), reverse=True)
        if followed and not longest:
            raise ValueError(
                f"no training video goes on for {self.sequels.hop} frames behind a clip, so that nobody knows what should follow a "
                "rollout; give longer videos (data.path), or a smaller data.hop or data.hold_back"
            )
        self.clips: int = longest[math.ceil(len(longest) / 10) - 1] if followed else read.rollout.clips
        self._rows = [row for row, clips in enumerate(room) if clips >= self.clips or not followed]
        self.negative = torch.zeros_like(self.data.batch([0], [False], [0]).text)
        if guided or read.generate.guided:
            self.negative = self.backbone.encode_text([read.generate.negative_prompt])
            self.backbone.free_text_encoder()

    def _check(self) -> None:
        if self.backbone.span(self.expert) != EVERYWHERE:
            raise ValueError(
                f"{self.expert} works at some noise levels alone, so that it cannot make a clip: no film of it is possible while "
                "it is trained; choose a model of one transformer, or another method.objective"
            )
        ranks.join()
        if self.settings.train.zero == 3 and dist.get_world_size() > 1:
            raise ValueError(
                "train.zero=3 cuts weights in pieces, and each rank makes films of its own; set train.zero=2"
            )

    def of_step(self, step: int) -> Iterator[Starts]:
        """This rank's share of the rollout.starts films of a step, one at least, as many at once as a device trains on."""
        world, at_once = dist.get_world_size(), self.settings.train.clips_at_once()
        share = max(1, self.settings.rollout.starts // world)
        names = [f"{step}/{dist.get_rank() + i * world}" for i in range(share)]
        for at in range(0, share, at_once):
            yield self.starts(names[at : at + at_once])

    def starts(self, names: Sequence[str]) -> Starts:
        """Of rows drawn by name."""
        draws = [torch.randint(len(self._rows), (), generator=keyed("rollout", self.seed, name)) for name in names]
        rows = [self._rows[int(drawn)] for drawn in draws]
        images = torch.from_numpy(np.stack([self.sequels.footage.read(row).frames[0] for row in rows]))
        text = self.data.batch(rows, [False] * len(rows), [0] * len(rows)).text
        negative = self.negative.expand(len(rows), -1, -1)
        return Starts(names, rows, images, text, negative, self.clips, self.backbone.latent_shape, self.seed)

    @torch.no_grad()
    def roll(self, model: nn.Module, starts: Starts) -> list[Rolled]:
        """All clips of films of the model as it is, by the film's own loop; no gradient reaches them."""
        made = list[Rolled]()
        past: State | None = None
        with resting(model):
            loop = ClipLoop(Denoiser(self.backbone, {self.expert: model}, self.settings.generate), self.settings)
            for clip in range(self.clips):
                frames, past = loop.next(starts, clip, past)
                made.append(Rolled(frames, loop.given(starts, clip + 1, past).condition))
        return made

    def true(self, starts: Starts, clips: int) -> Batch:
        """What should follow so many clips, as the latent cache would have it."""
        later = torch.stack([self.sequels.frames(row, clips) for row in starts.rows])
        return self.encoded(later, starts.images, starts.prompt)

    def encoded(self, frames: Tensor, references: Tensor, text: Tensor) -> Batch:
        """Clips [B, L, H, W, 3] uint8 as the latent cache would have them, with all motion frames."""
        found = encode_clips(self.backbone, frames, references[:, None], self.settings.condition)
        latents, condition = assembled({name: x[:, 0, 0] for name, x in found.items()}, self.settings.condition.anchor)
        return Batch(latents, condition, text)


@contextmanager
def resting(model: nn.Module) -> Iterator[None]:
    """In evaluation mode, then as it was before."""
    trained = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(trained)
