"""A model that is asked for guided velocities, and for whole clips."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from svi.backbones import speed
from svi.backbones.backbone import IMAGE, Backbone, Condition
from svi.backbones.padding import without
from svi.frames import Frames
from svi.generation.solver import solver
from svi.method.flow import TIMESTEPS, inference_sigmas
from svi.settings import GenerateSettings


@dataclass(frozen=True)
class Given:
    """What some clips are made from besides noise; text and negative [B, tokens, channels]."""

    condition: Condition
    text: Tensor
    negative: Tensor


class Branch(NamedTuple):
    """What is asked once, and the weight of what it tells beyond the next branch, which is given less."""

    given: Given
    weight: float


Seeing = Callable[[str, str], AbstractContextManager[object]]
"""What the frames of a forward see, by expert and branch of guidance: `svi.memory.cache.Cache.reading`, say."""


def themselves(expert: str, branch: str) -> AbstractContextManager[object]:
    """Nothing but what the model's own attention shows them."""
    return nullcontext()


class Denoiser:
    """A backbone, its (possibly adapted) transformers by expert, and how they are sampled from."""

    def __init__(self, backbone: Backbone, models: Mapping[str, nn.Module], settings: GenerateSettings) -> None:
        """The transformers, in the order of falling noise, are put in evaluation mode.

        A loop that finishes frames before the clip that they belong to calls `known` when they are: latency is counted to there.
        """
        self.backbone, self.settings = backbone, settings
        self.models = dict(models)
        for model in models.values():
            model.eval()  # of a DeepSpeed engine it returns nothing
        self.known: Callable[[], None] = lambda: None

    @property
    def sigmas(self) -> list[float]:
        """Noise levels of the sampler, falling from 1 to 0: one more than there are steps."""
        return [*inference_sigmas(self.settings.steps, self.settings.shift).tolist(), 0.0]

    @torch.no_grad()
    def clip(self, given: Given, x: Tensor, seeing: Seeing = themselves) -> Tensor:
        """From noise x to the latents of a clip, all frames at one noise level. [B, C, T, h, w]"""
        scheduler = solver(self.settings)
        with self.resting():
            for timestep in scheduler.timesteps:
                v = self.velocity(float(timestep) / TIMESTEPS, x, given, seeing)
                x = scheduler.step(-v, timestep, x, return_dict=False)[0]
        return self.backbone.finish(x, given.condition)

    def velocity(self, sigma: float | Tensor, x: Tensor, given: Given, seeing: Seeing = themselves) -> Tensor:
        """Guided, by the expert of this noise level; of several, one a latent frame [B, T], the highest decides.

        Classifier-free guidance as diffusers has it, v = v_negative + scale (v_text - v_negative), where the scale is above 1; with
        a signal's as SVI-Talk has it, v = v_none + s_signal (v_signal - v_none) + s_text (v_both - v_signal).
        """
        level = torch.full((len(x),), sigma, dtype=torch.float64) if isinstance(sigma, float) else sigma
        expert = self.backbone.expert(float(level.max()))
        branches = self.branches(expert, given)
        found = []
        for name, asked in branches.items():
            with seeing(expert, name):
                v = self.backbone.velocity(
                    self.models[expert], x, 1 - level, asked.given.condition, asked.given.text, name
                )
            found.append(v)
        guided = found[-1]
        for asked, v, fewer in zip(branches.values(), found, found[1:], strict=False):
            guided = guided + asked.weight * (v - fewer)
        return guided

    def branches(self, expert: str, given: Given) -> dict[str, Branch]:
        """What an expert is asked with: all that is given; where it is guided, the same with what leads away in the text's place;
        and where a signal guides, without that too."""
        asked = {"cond": given}
        weights = []
        if self._guidance(expert) > 1:
            asked["uncond"] = given = replace(given, text=given.negative)
            weights.append(self._guidance(expert))
        signals = given.condition.keys() - set(IMAGE)
        if signals and self.settings.signal_guidance != 1:
            asked["silent"] = replace(given, condition=without(given.condition, signals))
            weights.append(self.settings.signal_guidance)
        return {name: Branch(one, weight) for (name, one), weight in zip(asked.items(), [*weights, 1.0], strict=True)}

    @contextmanager
    def resting(self) -> Iterator[None]:
        """At its end, whether all went well or not, caching hooks forget, and offloaded models give the card back."""
        try:
            yield
        finally:
            for model in self.models.values():
                speed.rest(model)

    def decode(self, latents: Tensor) -> Frames:
        """[B, C, T, h, w] -> [B, L, H, W, 3] uint8"""
        frames: Frames = self.backbone.decode(latents, truncate=self.settings.pixels == "truncate").numpy()
        return frames

    def _guidance(self, expert: str) -> float:
        low = self.settings.guidance_low
        return self.settings.guidance if low is None or expert == next(iter(self.models)) else low
