"""Self-Forcing: the exit step, distribution matching, and what the teacher is never shown."""

from pathlib import Path

import pytest
import torch
from torch import nn

from svi.generation.denoiser import Denoiser, Given
from svi.objectives.self_forcing import Leaving, SelfForcing, matching
from svi.settings import TrainSettings
from tests.svi.objectives.rolling import (
    BATCH,
    FEW,
    GENERATE,
    LORA,
    WHOLE,
    evaluations,
    interrupted,
    open_wan,
    settings,
    setup,
    stepped,
    steps_on_wan,
)
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder


def made_different(model: nn.Module) -> None:
    """Every trained weight moved, as by a training that drifts."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.3 * torch.randn_like(weight)


@pytest.mark.parametrize("train", [LORA, WHOLE])
@pytest.mark.parametrize(("last", "clips"), [(0, 1), (2, 1), (1, 3), (2, 2)])
def test_a_gradient_goes_through_the_exit_step_of_the_last_clip_alone(
    tmp_path: Path, train: TrainSettings, last: int, clips: int
) -> None:
    """And every clip leaves at the same step."""
    made = setup(tmp_path, settings(FEW, train=train))
    objective = SelfForcing(made)
    with evaluations(made.backbone) as seen:
        window = objective.window(made.model, ["a", "b"], last, clips)
    assert [one.gradient for one in seen] == [False] * (clips * (last + 1) - 1) + [True]
    assert all(one.model is made.model for one in seen)
    window.estimate.square().sum().backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in made.model.parameters())


def test_the_gradient_is_that_of_one_velocity(tmp_path: Path) -> None:
    """x0 = x_t + sigma v at the exit: the same weights get the same gradient from that one evaluation by itself."""
    made = setup(tmp_path, settings(FEW))
    starts = SelfForcing(made).rollouts.starts(["a", "b"])
    given = Given(made.data.batch(starts.rows, [False] * 2, [0] * 2).condition, starts.prompt, starts.negative)
    leaving = Leaving(made.backbone, {made.expert: made.model}, FEW, 1)
    weights = [weight for weight in made.model.parameters() if weight.requires_grad]
    found = torch.autograd.grad(leaving.clip(given, starts.noise(0)).square().sum(), weights)
    seen = []
    velocity = made.backbone.velocity

    def noting(model: nn.Module, x: torch.Tensor, t: torch.Tensor, *rest: object) -> torch.Tensor:
        seen.append((x, t))
        return velocity(model, x, t, *rest)  # type: ignore[arg-type]

    made.backbone.velocity = noting  # type: ignore[method-assign]
    leaving.clip(given, starts.noise(0))
    x, t = seen[1]
    v = velocity(made.model, x, t, given.condition, given.text)
    estimate = x + (1 - t[:, None, None, None, None]).float() * v
    expected = torch.autograd.grad(estimate.square().sum(), weights)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, expected, strict=True))
    assert not x.requires_grad


def test_left_at_its_last_step_the_student_is_the_sampler_of_the_films(tmp_path: Path) -> None:
    made = setup(tmp_path, settings(FEW))
    starts = SelfForcing(made).rollouts.starts(["a", "b"])
    given = Given(made.data.batch(starts.rows, [False] * 2, [0] * 2).condition, starts.prompt, starts.negative)
    models = {made.expert: made.model}
    film = Denoiser(made.backbone, models, FEW).clip(given, starts.noise(0))
    left = Leaving(made.backbone, models, FEW, FEW.steps - 1).clip(given, starts.noise(0))
    assert torch.equal(left.detach(), film)
    early = Leaving(made.backbone, models, FEW, 0).clip(given, starts.noise(0))
    assert not torch.allclose(early, film, atol=0.01)


def test_teacher_and_critic_never_see_what_the_student_has_come_to(tmp_path: Path) -> None:
    """The trap: a student that drifts elsewhere changes what it is conditioned on itself, and nothing that it is judged under."""
    shown = []
    for drifts in (False, True):
        made = setup(tmp_path / str(drifts), settings(FEW, clips=3))
        objective = SelfForcing(made)
        if drifts:
            made_different(made.model)
        with evaluations(made.backbone) as seen:
            window = objective.window(made.model, ["a", "b"], 1, 3)
            objective.matching(window)
            objective.criticism(window, 0)
        judges = [one for one in seen if one.model is not made.model]
        assert [one.model is objective.critic.model for one in judges] == [False, True, True]
        shown.append(([one.condition["latents"] for one in seen if one.model is made.model][-1], judges))
    (own, judged), (drifted, judged_after) = shown
    assert not torch.allclose(own, drifted, atol=0.1)
    for one, other in zip(judged, judged_after, strict=True):
        assert torch.equal(one.condition["latents"], other.condition["latents"])
    starts = objective.rollouts.starts(["a", "b"])
    assert torch.equal(judged[0].condition["latents"], objective.rollouts.true(starts, 2).condition["latents"])


@pytest.mark.parametrize("train", [LORA, WHOLE])
def test_the_teacher_stays_the_base_model(tmp_path: Path, train: TrainSettings) -> None:
    """With a LoRA and without, whatever student and critic learn."""
    made = setup(tmp_path, settings(FEW, train=train))
    objective, batch = SelfForcing(made), made.data.batch([0], [False], [0])
    teacher = objective.teacher.models[made.expert]

    def answer(model: nn.Module) -> torch.Tensor:
        with torch.no_grad():
            return made.backbone.velocity(model, batch.latents, torch.tensor([0.3]), batch.condition, batch.text)

    before = answer(teacher)
    assert torch.equal(before, answer(made.model))
    made_different(made.model)
    stepped(objective, made.model)
    assert torch.equal(answer(teacher), before)
    assert not torch.allclose(answer(made.model), before)
    assert not torch.equal(answer(objective.critic.model), before)


def test_distribution_matching_leads_from_the_fake_to_the_real() -> None:
    """The gradient by the estimate is (fake - real) / mean|x0 - real| of each clip, over its own values alone."""
    torch.manual_seed(0)
    x, real, fake = torch.randn(3, 2, 8, 5, 4, 4).unbind()
    x.requires_grad_(True)
    matching(x, real, fake, None).backward()
    assert x.grad is not None
    size = (x.detach() - real).abs().mean(dim=(1, 2, 3, 4), keepdim=True)
    torch.testing.assert_close(x.grad, (fake - real) / size / x.numel())
    assert float(matching(x.detach(), real, real, None)) == 0
    learned = torch.ones(2, 1, 5, 1, 1)
    learned[:, :, 0] = 0
    x.grad = None
    matching(x, real, fake, learned).backward()
    assert not x.grad[:, :, 0].any()


def test_the_critic_learns_after_each_step_of_the_student(tmp_path: Path) -> None:
    made = setup(tmp_path, settings(FEW))
    objective = SelfForcing(made)
    with evaluations(made.backbone) as seen:
        for _ in objective.losses(made.model, range(BATCH), 2, 0, range(0)):
            assert not any(one.model is objective.critic.model and one.gradient for one in seen)
    learning = [one for one in seen if one.model is objective.critic.model and one.gradient]
    assert len(learning) == 2 * 2  # updates times micro-batches
    assert objective.log()["train/critic"] > 0


def test_micro_batches_change_rounding_alone(tmp_path: Path) -> None:
    critics = []
    for micro in (1, 4):
        made = setup(tmp_path / str(micro), settings(FEW))
        objective = SelfForcing(made)
        for loss in objective.losses(made.model, range(BATCH), micro, 0, range(0)):
            assert loss.isfinite()
        critics.append(objective.state_dict()["weights"])
    assert all(torch.allclose(critics[0][name], value, atol=1e-5) for name, value in critics[1].items())


def test_films_that_are_sampled_otherwise_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"generate\.solver is 'euler', but the student learns to sample with 'renoise'"
    ):
        SelfForcing(setup(tmp_path, settings(GENERATE)))


@pytest.mark.parametrize("train", [LORA, WHOLE])
def test_interrupted_and_resumed_is_bit_identical(tmp_path: Path, train: TrainSettings) -> None:
    """The critic's weights and optimiser come from the checkpoint."""
    _, state = interrupted(SelfForcing, tmp_path, generate=FEW, train=train)
    assert len(state["optimiser"]["state"]) > 0


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_a_step_and_two_clips_on_wan(kind: Kind, wan_folder: WanFolder, tmp_path: Path) -> None:
    """With a guided teacher."""
    backbone, read = open_wan(wan_folder(kind), generate=FEW, clips=2)
    read.distillation = read.distillation.model_copy(update={"guidance": 3.0})
    steps_on_wan(SelfForcing, tmp_path, backbone, read, steps=2)  # at first the critic is the teacher: no gradient
