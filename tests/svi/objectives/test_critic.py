"""A model beside the one that is trained: what it shares, and that it learns alone."""

from pathlib import Path

import pytest
import torch

from svi.backbones.meter import Meter
from svi.objectives.critic import Critic, twin
from svi.settings import TrainSettings
from tests.svi.objectives.rolling import LORA, WHOLE, same, settings, setup


@pytest.mark.parametrize(("train", "shared"), [(LORA, True), (WHOLE, False)])
def test_a_twin_owns_what_is_trained_and_shares_the_rest(tmp_path: Path, train: TrainSettings, shared: bool) -> None:
    """So that beside a LoRA there is one base model; what it is asked is counted with the model's."""
    made = setup(tmp_path, settings(train=train))
    meter = Meter()
    meter.watch(made.model)
    copy = twin(made.model)
    pairs = list(zip(made.model.parameters(), copy.parameters(), strict=True))
    assert all((one is other) == (not one.requires_grad) for one, other in pairs)
    assert any(one is other for one, other in pairs) == shared
    batch = made.data.batch([0], [False], [0])
    answers = [
        made.backbone.velocity(m, batch.latents, torch.rand(1), batch.condition, batch.text) for m in (made.model, copy)
    ]
    assert answers[0].shape == answers[1].shape
    assert meter.evaluations == 2


def test_a_critic_learns_and_the_model_does_not(tmp_path: Path) -> None:
    """To be plainly wrong about zero: its loss falls, with an optimiser that keeps no momentum."""
    made = setup(tmp_path, settings(train=WHOLE))
    critic, before = Critic(made.model, WHOLE, 1.0), [w.detach().clone() for w in made.model.parameters()]
    batch = made.data.batch([0, 1], [False] * 2, [0] * 2)
    t = torch.tensor([0.3, 0.6])

    def loss() -> torch.Tensor:
        v = made.backbone.velocity(critic.model, batch.latents, t, batch.condition, batch.text)
        return (v - 1).square().mean()

    losses = []
    for _ in range(30):
        critic.update([loss, loss])
        losses.append(critic.last)
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(w, old) and w.grad is None for w, old in zip(made.model.parameters(), before, strict=True))
    assert critic.optimiser.defaults["betas"] == (0.0, 0.999)
    other = Critic(made.model, WHOLE, 1.0)
    other.load_state_dict(critic.state_dict())
    assert same(other.state_dict(), critic.state_dict())
