"""What an objective is made from and draws, and plain flow matching, which most ideas against drift change in one place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn

from svi.backbones.backbone import Backbone, Condition
from svi.backbones.catalogue import EXPERT
from svi.data.cache import Batch, LatentCache
from svi.method import flow, recycle
from svi.method.draws import Order, keyed
from svi.objectives.dropping import dropped
from svi.parts import CONDITION
from svi.settings import ConditionSettings, FlowSettings
from svi.training.objective import TrainingObjective, tokens_of


@dataclass(frozen=True)
class Setup:
    """What an objective is made from. `settings` has a section an attribute: those of a training, and the objective's own."""

    backbone: Backbone
    data: LatentCache
    settings: Any
    seed: int
    folder: Path
    """The training's own: whatever an objective keeps beside its checkpoints lies there."""
    model: nn.Module
    """What is trained, still as training starts from it: the base model, or what train.from makes of it."""
    expert: str = EXPERT


class Draw(NamedTuple):
    """What every objective draws for the sample with global index k; `generator` goes on from there."""

    k: int
    clip: int
    short: bool
    reference: int
    t: Tensor
    noise: Tensor
    generator: torch.Generator


class Drawn(Protocol):
    """Which clip a sample is of, and how it is read."""

    @property
    def k(self) -> int: ...
    @property
    def clip(self) -> int: ...
    @property
    def short(self) -> bool: ...
    @property
    def reference(self) -> int: ...


class Draws:
    """The same clips, times and noise for every objective, so that two differ in nothing but the objective."""

    def __init__(
        self,
        backbone: Backbone,
        data: LatentCache,
        flow_settings: FlowSettings,
        condition: ConditionSettings,
        seed: int,
        expert: str,
    ) -> None:
        self.backbone, self.data, self.flow, self.condition, self.seed = backbone, data, flow_settings, condition, seed
        self.order, self.span = Order(len(data), seed), backbone.span(expert)

    def __getitem__(self, k: int) -> Draw:
        generator = keyed("recycle", self.seed, k)
        short = float(torch.rand((), generator=generator)) >= self.condition.p_motion
        t = flow.draw_t(self.flow.t_sampling, self.flow.shift, generator, self.span)
        noise = torch.randn(self.backbone.latent_shape, generator=generator)
        # Of its own key, so that the number of references changes nothing else.
        reference = torch.randint(self.data.references, (), generator=keyed("reference", self.seed, k))
        return Draw(k, self.order[k], short, int(reference), t, noise, generator)

    def batch(self, drawn: Sequence["Drawn"]) -> Batch:
        """The clips of these draws, as they are read; some are given no image or no signal."""
        read = self.data.batch([d.clip for d in drawn], [d.short for d in drawn], [d.reference for d in drawn])
        given = dropped(read.condition, self.condition, self.seed, [d.k for d in drawn])
        return replace(read, condition=given)


@dataclass(frozen=True)
class Clips:
    """A micro-batch: latents and noise [B, C, T, h, w], t [B] or one a latent frame [B, T], text [B, tokens, channels], the k of
    each sample and its generator."""

    latents: Tensor
    condition: Condition
    text: Tensor
    noise: Tensor
    t: Tensor
    k: Sequence[int]
    generators: Sequence[torch.Generator]

    def changed(self, **parts: Any) -> "Clips":
        return replace(self, **parts)

    @property
    def x_t(self) -> Tensor:
        """X_t = t X_vid + (1 - t) X_noi."""
        return recycle.interpolate(self.latents, self.noise, self.t)

    @property
    def target(self) -> Tensor:
        """V = X_vid - X_noi, from noise to data."""
        return self.latents - self.noise

    def estimate(self, v: Tensor) -> Tensor:
        """X_vid as a velocity has it: X_t + (1 - t) v."""
        return self.x_t + (1 - recycle.over(self.t, v)) * v


class Objective(TrainingObjective):
    """Plain flow matching; a method changes `inputs`, or writes its own `loss`.

    To be used in a `with`. What a part says of itself (svi/parts.py) a class of one's own says in its attributes.
    """

    version = 1
    reads: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = (CONDITION,)

    def __init__(self, setup: Setup) -> None:
        read = setup.settings
        self.backbone, self.data, self.settings, self.seed = setup.backbone, setup.data, read, setup.seed
        self.draws = Draws(setup.backbone, setup.data, read.flow, read.condition, setup.seed, setup.expert)
        self.tokens = tokens_of(setup.backbone, setup.expert)

    @classmethod
    def of(cls, setup: Setup) -> Self:
        """As the harness makes one."""
        return cls(setup)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        """The loss of each micro-batch."""
        for start in range(0, len(samples), micro):
            yield self.loss(model, self.clips(samples[start : start + micro]), step)

    def clips(self, samples: range) -> Clips:
        """These samples, drawn and read."""
        drawn = [self.draws[k] for k in samples]
        batch = self.draws.batch(drawn)
        noise, t = torch.stack([d.noise for d in drawn]), torch.stack([d.t for d in drawn])
        return Clips(batch.latents, batch.condition, batch.text, noise, t, samples, [d.generator for d in drawn])

    def loss(self, model: nn.Module, clips: Clips, step: int) -> Tensor:
        """The mean squared error of the velocity, where the model predicts."""
        return self.matched(model, self.inputs(model, clips, step))

    def inputs(self, model: nn.Module, clips: Clips, step: int) -> Clips:
        """What the model is given instead of these clips: here, the clips."""
        return clips

    def matched(self, model: nn.Module, clips: Clips) -> Tensor:
        """mean |v - (X_vid - X_noi)|^2, scalar."""
        return self.error(self.velocity(model, clips), clips)

    def velocity(self, model: nn.Module, clips: Clips) -> Tensor:
        """v at X_t. [B, C, T, h, w]"""
        return self.backbone.velocity(model, clips.x_t, clips.t, clips.condition, clips.text)

    def error(self, v: Tensor, clips: Clips) -> Tensor:
        """The same of a velocity that is there; frames with a time of their own, which is 1, are given and not predicted."""
        predicted = self.backbone.learned(clips.condition)
        if clips.t.dim() == 2:
            noisy = (clips.t < 1).to(v.dtype)[:, None, :, None, None]
            predicted = noisy if predicted is None else noisy * predicted
        return mean_over((v - clips.target).square(), predicted).mean()

    def keep(self, folder: Path) -> None:
        """Write what shall outlive the training, beside its weights."""

    def close(self) -> None:
        """Let go of threads and files."""


def mean_over(x: Tensor, mask: Tensor | None) -> Tensor:
    """The mean of each sample, over what a mask [B, 1, T, 1, 1] says. x [B, ...] -> [B]"""
    if mask is None:
        return x.flatten(1).mean(1)
    mask = mask.expand_as(x)
    return (x * mask).flatten(1).sum(1) / mask.flatten(1).sum(1)
