"""Resampling Forcing around a real model: whose errors the condition carries, how large they are, and what they cost."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from svi.axes import ResamplingSettings
from svi.backbones.tiny import TinyBackbone
from svi.data.cache import LatentCache
from svi.method.recycle import over
from svi.objectives.objective import Clips
from svi.objectives.resampling import Resampling
from svi.settings import ConditionSettings, TrainSettings
from tests.svi.conftest import make_backbone, make_cache
from tests.svi.objectives.setups import setup, wan
from tests.svi.wan_folder import Kind, WanFolder

PAST = 99  # a step behind every warm-up


def resampling(
    backbone: TinyBackbone, cache: LatentCache, condition: ConditionSettings | None = None, **own: object
) -> Resampling:
    given = {} if condition is None else {"condition": condition}
    return Resampling(setup(backbone, cache, **given, resampling=ResamplingSettings.model_validate(own)))


def changes(objective: Resampling, clips: Clips, step: int = PAST) -> Tensor:
    """What the condition's latents are given beside what is true. [B, C, T, h, w]"""
    model = objective.backbone.transformers["transformer"]
    given = objective.inputs(model, clips, step)
    difference: Tensor = (given.condition["latents"] - clips.condition["latents"])[:, 4:]
    return difference


def biased(monkeypatch: pytest.MonkeyPatch, objective: Resampling, clips: Clips, bias: float) -> list[Tensor]:
    """Have the model say the velocity from where it is to the clips, and a constant more; the times it is asked at."""
    asked: list[Tensor] = []

    def velocity(model: object, x: Tensor, t: Tensor, *_: object) -> Tensor:
        asked.append(t)
        noise = (x - over(t, x) * clips.latents) / over(1 - t, x)
        return clips.latents - noise + bias

    monkeypatch.setattr(objective.backbone, "velocity", velocity)
    return asked


@pytest.mark.parametrize("frame", ["first", "last"])
def test_a_model_without_errors_sees_true_pasts(
    backbone: TinyBackbone, cache: LatentCache, monkeypatch: pytest.MonkeyPatch, frame: str
) -> None:
    objective = resampling(backbone, cache, frame=frame)
    clips = objective.clips(range(8))
    asked = biased(monkeypatch, objective, clips, 0.0)
    assert float(changes(objective, clips).abs().max()) < 1e-5
    assert len(asked) == 3


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (1.5, 0.5)])
def test_noise_levels_are_logit_normal_and_errors_are_as_large_as_they_let_them(
    backbone: TinyBackbone, cache: LatentCache, monkeypatch: pytest.MonkeyPatch, mean: float, deviation: float
) -> None:
    """A model that points at the truth from wherever it is, and a constant beside it: the error of the last step remains."""
    objective = resampling(backbone, cache, mean=mean, deviation=deviation, steps=4)
    clips = objective.clips(range(400))
    asked = biased(monkeypatch, objective, clips, 0.5)
    change = changes(objective, clips)
    torch.testing.assert_close(change, change[:, :1, :1, :1, :1].expand_as(change), rtol=1e-3, atol=1e-4)
    sigma = change[:, 0, 0, 0, 0] * 4 / 0.5
    torch.testing.assert_close(1 - asked[0], sigma, rtol=1e-3, atol=1e-3)
    for done, t in enumerate(asked):
        torch.testing.assert_close(1 - t, (1 - asked[0]) * (1 - done / 4))
    logits = torch.logit(1 - asked[0])
    assert float(logits.mean()) == pytest.approx(mean, abs=0.15)
    assert float(logits.std()) == pytest.approx(deviation, rel=0.1)
    assert objective.log() == {"train/resampled": pytest.approx(float(change.square().mean().sqrt()), rel=1e-3)}


def test_the_target_stays_clean_and_the_gradient_is_of_the_loss_alone(
    backbone: TinyBackbone, cache: LatentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three passes without gradient, one with; the weights' gradient is that of flow matching under the past as it was made."""
    objective, model = resampling(backbone, cache), backbone.transformers["transformer"]
    clips = objective.clips(range(4))
    passes, forward = [], backbone.velocity

    def velocity(*arguments: object) -> Tensor:
        v: Tensor = forward(*arguments)  # type: ignore[arg-type]
        passes.append(v.requires_grad)
        return v

    monkeypatch.setattr(backbone, "velocity", velocity)
    torch.autograd.backward(objective.loss(model, clips, PAST))
    assert passes == [False, False, False, True]
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    given = objective.inputs(model, objective.clips(range(4)), PAST)
    assert torch.equal(given.target, clips.target)
    assert torch.equal(given.latents, clips.latents)
    torch.autograd.backward(objective.matched(model, given))
    torch.testing.assert_close(gradients, [p.grad for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize(
    ("train", "steps"),
    [({"steps": 40}, 10), ({"epochs": 2, "batch": 3}, 4), ({"steps": 52, "budget": "evaluations"}, 4)],
)
def test_before_the_warm_up_ends_pasts_are_true_and_the_model_is_not_asked(
    backbone: TinyBackbone, cache: LatentCache, monkeypatch: pytest.MonkeyPatch, train: dict[str, int], steps: int
) -> None:
    """A quarter of all steps: 2 epochs of 24 clips are 16 of 3; evaluations of 52 plain steps are 4 such and 12 of four."""
    settings = ResamplingSettings(warmup=0.25)
    objective = Resampling(setup(backbone, cache, resampling=settings, train=TrainSettings.model_validate(train)))
    asked = biased(monkeypatch, objective, objective.clips(range(3)), 0.5)
    assert not changes(objective, objective.clips(range(3)), steps - 1).any()
    assert not asked
    assert changes(objective, objective.clips(range(3)), steps).all()


@pytest.mark.parametrize(("frame", "of"), [("first", slice(1, 3)), ("last", slice(3, 5))])
def test_errors_are_of_the_frames_that_the_condition_shows_or_hands_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: str, of: slice
) -> None:
    """Behind an anchor, two motion frames: the anchor stays, and so does what is behind them."""
    condition = ConditionSettings(motion_frames=2, padding="zeros", anchor=True)
    backbone = make_backbone()
    objective = resampling(backbone, make_cache(backbone, tmp_path, condition), condition, frame=frame)
    clips, drawn = objective.clips(range(6)), objective.clips(range(6))
    made = objective.resampled(backbone.transformers["transformer"], drawn)
    change = changes(objective, clips)
    assert not change[:, :, :1].any()
    assert not change[:, :, 3:].any()
    torch.testing.assert_close(change[:, :, 1:3], (made - clips.latents)[:, :, of])


def test_a_resumed_training_resamples_alike(backbone: TinyBackbone, cache: LatentCache) -> None:
    one, other = (changes(objective, objective.clips(range(5, 9))) for objective in (resampling(backbone, cache),) * 2)
    assert one.any()
    assert torch.equal(one, other)


@pytest.mark.parametrize(("kind", "frame"), [("wan2.1-i2v", "first"), ("wan2.1-i2v", "last"), ("wan2.2-ti2v", "last")])
def test_a_step_of_a_real_wan(kind: Kind, frame: str, wan_folder: WanFolder, tmp_path: Path) -> None:
    condition = ConditionSettings(motion_frames=1, padding="zeros")
    backbone, data = wan(wan_folder(kind), tmp_path, condition)
    objective = Resampling(setup(backbone, data, condition, resampling=ResamplingSettings(warmup=0, frame=frame)))
    model = backbone.transformers["transformer"].requires_grad_(True)
    (loss,) = objective.losses(model, range(2), 2, 0, range(0))
    torch.autograd.backward(loss)
    assert torch.isfinite(loss)
    assert objective.log()["train/resampled"] > 0
    assert any(p.grad is not None and p.grad.any() for p in model.parameters())
    model.requires_grad_(False).zero_grad()


@pytest.mark.parametrize(
    ("kind", "said"),
    [("wan2.2-ti2v", "given the first latent frames clean"), ("wan2.2-i2v", "of two experts neither can")],
)
def test_a_model_that_cannot_finish_its_own_past_is_refused(
    kind: Kind, said: str, wan_folder: WanFolder, tmp_path: Path
) -> None:
    condition = ConditionSettings(motion_frames=1, padding="zeros")
    backbone, data = wan(wan_folder(kind), tmp_path, condition)
    objective = Resampling(setup(backbone, data, condition, resampling=ResamplingSettings(warmup=0)))
    with pytest.raises(ValueError, match=said):
        objective.inputs(backbone.transformers["transformer"], objective.clips(range(1)), 0)
