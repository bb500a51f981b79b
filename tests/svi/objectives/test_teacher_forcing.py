"""Teacher forcing on the tiny backbone: what a noisy block sees, what is learned of it, and at which noise levels."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from svi.axes import CacheSettings, MethodSettings
from svi.backbones.backbone import Condition
from svi.backbones.meter import Meter
from svi.backbones.tiny import TinyBackbone
from svi.data.cache import LatentCache
from svi.objectives.objective import Setup
from svi.objectives.teacher_forcing import TeacherForcing
from svi.settings import FlowSettings
from tests.svi.conftest import CONDITION, make_backbone

FRAMES = 5


class Seen:
    """Notes what the model is given, [clean | noisy], and what it answers; gradients reach the first."""

    def __init__(self, backbone: TinyBackbone) -> None:
        self._velocity = backbone.velocity
        backbone.velocity = self  # type: ignore[method-assign, assignment]

    def __call__(self, model: nn.Module, x: Tensor, t: Tensor, condition: Condition, text: Tensor) -> Tensor:
        self.x, self.t, self.condition = x.detach().requires_grad_(), t, condition
        self.v = self._velocity(model, self.x, t, condition, text)
        return self.v


@pytest.fixture
def backbone() -> TinyBackbone:
    """Its modulation is not at its neutral start, so that every time and token matters."""
    made = make_backbone()
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in made.transformers["transformer"].parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return made


def objective(backbone: TinyBackbone, data: LatentCache, block: int = 1, **cache: Any) -> TeacherForcing:
    read = SimpleNamespace(
        flow=FlowSettings(),
        condition=CONDITION,
        method=MethodSettings(architecture="causal", block=block),
        cache=CacheSettings(**cache),
    )
    return TeacherForcing(Setup(backbone, data, read, 0, Path("nowhere"), backbone.transformers["transformer"]))


def loss(made: TeacherForcing, samples: range = range(3)) -> Tensor:
    return made.loss(made.backbone.transformers["transformer"], made.clips(samples), 0)


@pytest.mark.parametrize(("block", "of_block"), [(1, (0, 1, 2, 3, 4)), (2, (0, 1, 1, 2, 2)), (4, (0, 1, 1, 1, 1))])
def test_a_noisy_block_sees_the_clean_blocks_before_it_and_never_its_own_answer(
    backbone: TinyBackbone, cache: LatentCache, block: int, of_block: tuple[int, ...]
) -> None:
    """Each frame of the answer, and which frames of [clean | noisy] its gradient reaches."""
    seen = Seen(backbone)
    loss(objective(backbone, cache, block))
    own = torch.tensor(of_block)
    wanted = torch.cat([own[:, None] > own[None], own[:, None] == own[None]], dim=1)
    for frame in range(FRAMES):
        answer = seen.v[:, :, FRAMES + frame].sum()
        (gradient,) = torch.autograd.grad(answer, seen.x, retain_graph=True)
        assert torch.equal(gradient.abs().sum((0, 1, 3, 4)) > 0, wanted[frame])


def test_the_loss_is_that_of_noisy_frames_after_the_first(backbone: TinyBackbone, cache: LatentCache) -> None:
    made, seen = objective(backbone, cache), Seen(backbone)
    found = loss(made)
    clips = made.clips(range(3))
    error = (seen.v[:, :, FRAMES:] - (clips.latents - clips.noise)).square()
    torch.testing.assert_close(found, error[:, :, 1:].mean())
    (gradient,) = torch.autograd.grad(found, seen.v)
    assert (gradient.abs().sum((0, 1, 3, 4)) > 0).tolist() == [False] * 6 + [True] * 4


def test_the_clean_half_is_the_clip_and_no_image_is_given(backbone: TinyBackbone, cache: LatentCache) -> None:
    made, seen = objective(backbone, cache), Seen(backbone)
    loss(made)
    clips = made.clips(range(3))
    assert torch.equal(seen.x[:, :, :FRAMES], clips.latents)
    over = seen.t[:, None, FRAMES:, None, None]
    torch.testing.assert_close(seen.x[:, :, FRAMES:], over * clips.latents + (1 - over) * clips.noise)
    assert (seen.t[:, :FRAMES] == 1).all()
    assert seen.condition["latents"].shape[2] == 2 * FRAMES
    assert not any(x.any() for x in seen.condition.values())


def test_the_past_may_be_learned_with_the_noise_that_films_remember_it_with(
    backbone: TinyBackbone, cache: LatentCache
) -> None:
    """Noise of its own: not that of the noisy half, which would tell the answer."""
    made, seen = objective(backbone, cache, noise=0.25), Seen(backbone)
    loss(made)
    clips = made.clips(range(3))
    assert (seen.t[:, :FRAMES] == 0.75).all()
    noise = (seen.x.detach()[:, :, :FRAMES] - 0.75 * clips.latents) / 0.25
    assert 0.9 < float(noise.std()) < 1.1
    both = torch.corrcoef(torch.stack([noise.flatten(), clips.noise.flatten()]))
    assert abs(float(both[0, 1])) < 0.1


def test_every_block_has_a_time_of_its_own_and_a_sample_the_same_times_again(
    backbone: TinyBackbone, cache: LatentCache
) -> None:
    made = objective(backbone, cache, block=2)
    t = torch.stack([made.times(k) for k in range(200)])
    assert torch.equal(t[:, 1], t[:, 2])
    assert torch.equal(t[:, 3], t[:, 4])
    assert (t[:, 0] != t[:, 1]).float().mean() > 0.9
    assert (t[:, 1] != t[:, 3]).float().mean() > 0.9
    assert torch.corrcoef(t[:, [0, 1, 3]].T).fill_diagonal_(0).abs().max() < 0.2
    assert torch.equal(t, torch.stack([made.times(k) for k in range(200)]))


def test_a_pass_counts_twice_the_tokens_of_a_clip(backbone: TinyBackbone, cache: LatentCache) -> None:
    made, meter = objective(backbone, cache), Meter()
    meter.watch(backbone.transformers["transformer"])
    loss(made)
    assert meter.tokens == 3 * made.tokens == 3 * 2 * FRAMES * 4
