"""Diffusion forcing: what is drawn, what is predicted, and that mixed noise is learned, on the tiny backbone and real Wans."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from svi.axes import ForcingSettings
from svi.backbones.padding import unknown
from svi.backbones.wan import WanBackbone
from svi.data.cache import LatentCache
from svi.objectives.diffusion_forcing import DiffusionForcing
from svi.objectives.objective import Clips, Objective, Setup
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi.conftest import CONDITION, make_backbone, make_cache
from tests.svi.objectives.setups import EXPERTS, moved, noisy_mean, setup, taught
from tests.svi.wan_folder import Kind, WanFolder


@pytest.fixture
def given(cache: LatentCache, tmp_path: Path) -> Setup:
    return setup(make_backbone(), cache, folder=tmp_path, forcing=ForcingSettings())


def times(one: Setup, n: int = 400) -> Tensor:
    objective = DiffusionForcing(one)
    return torch.stack([objective.times(k) for k in range(n)])


def test_every_frame_has_a_time_of_its_own(given: Setup) -> None:
    """Independent of each other and distributed as the one time of a clip is; the same again for the same sample."""
    given.settings.forcing = ForcingSettings(p_history=0)
    t = times(given)
    assert torch.equal(t, times(given))
    between = torch.corrcoef(t.T) - torch.eye(5)
    assert between.abs().max() < 0.2
    whole = torch.stack([Objective(given).draws[k].t for k in range(400)])
    for share in (0.25, 0.5, 0.75):
        torch.testing.assert_close(t.flatten().quantile(share), whole.quantile(share), atol=0.06, rtol=0)


def test_frames_of_a_chunk_share_a_time(given: Setup) -> None:
    """What is left over is the first chunk, as the one frame that a film starts from."""
    given.settings.forcing = ForcingSettings(chunk=2, p_history=0)
    t = times(given, 20)
    assert torch.equal(t[:, 1], t[:, 2])
    assert torch.equal(t[:, 3], t[:, 4])
    assert (t[:, 0] != t[:, 1]).any()
    assert (t[:, 2] != t[:, 3]).any()


def test_a_share_of_samples_begins_with_clean_frames(given: Setup) -> None:
    """1 to as many as films hand on, and the rest is noisy."""
    given.settings.condition = CONDITION.model_copy(update={"motion_frames": 3})
    given.settings.forcing = ForcingSettings(p_history=0.6)
    clean = (times(given) == 1).long()
    assert (clean.diff(dim=1) <= 0).all()  # none behind a noisy one
    counts = clean.sum(dim=1).bincount(minlength=5) / 400
    torch.testing.assert_close(counts, torch.tensor([0.4, 0.2, 0.2, 0.2, 0.0]), atol=0.08, rtol=0)


def test_equal_times_are_the_bidirectional_case(given: Setup) -> None:
    """The loss is plain flow matching's at that time, where nothing is given in the condition."""
    objective, model = DiffusionForcing(given), given.model
    clips = objective.clips(range(4))
    clips = clips.changed(condition=unknown(clips.condition))
    each = clips.changed(t=clips.t[:, None].expand(-1, 5))
    torch.testing.assert_close(objective.matched(model, each), Objective(given).matched(model, clips))


def test_without_noise_the_input_is_the_data(given: Setup) -> None:
    clips = DiffusionForcing(given).clips(range(4)).changed(t=torch.ones(4, 5))
    assert torch.equal(clips.x_t, clips.latents)


def test_the_loss_is_the_mean_over_noisy_frames(given: Setup) -> None:
    objective = DiffusionForcing(given)
    expected = noisy_mean(given, objective, range(6))
    torch.testing.assert_close(objective.loss(given.model, objective.clips(range(6)), 0), expected)


class OtherPast(DiffusionForcing):
    """What an objective does that gives another history, such as the model's own."""

    def inputs(self, model: nn.Module, clips: Clips, step: int) -> Clips:
        clips = super().inputs(model, clips, step)
        history = (clips.t == 1)[:, None, :, None, None]
        return clips.changed(latents=torch.where(history, clips.latents + 1, clips.latents))


def test_history_may_be_changed_and_targets_stay_clean(given: Setup) -> None:
    """With a model that cannot see its input, another history changes no loss; one that can does."""
    plain, other = DiffusionForcing(given), OtherPast(given)
    losses = [one.loss(given.model, one.clips(range(6)), 0) for one in (plain, other)]
    assert losses[0] != losses[1]
    given.backbone.velocity = lambda model, x, *rest: torch.zeros_like(x)  # type: ignore[method-assign]
    losses = [one.loss(given.model, one.clips(range(6)), 0) for one in (plain, other)]
    assert losses[0] == losses[1]


def test_any_pattern_of_noise_is_learned(given: Setup) -> None:
    """A short real training nearly halves the error of frames at levels that rise, fall, alternate or follow clean ones."""
    patterns = [
        [0.1, 0.3, 0.5, 0.7, 0.9],
        [0.9, 0.7, 0.5, 0.3, 0.1],
        [0.2, 0.8, 0.2, 0.8, 0.2],
        [1, 0.1, 0.1, 0.1, 0.1],
    ]
    for was, now in taught(given, DiffusionForcing(given), patterns):
        assert now < 0.6 * was


@pytest.fixture(scope="module")
def wans(wan_folder: WanFolder, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A Wan of a kind and its clips, of four latents."""
    data = DataSettings(clips=2, clip_frames=13, height=32, width=32)
    condition = ConditionSettings(motion_frames=5)

    def opened(kind: Kind, expert: str = "transformer") -> Setup:
        folder = tmp_path_factory.mktemp(kind)
        settings = BackboneSettings(name="folder", text_tokens=16)
        backbone = WanBackbone.load(wan_folder(kind), settings, data)
        cache = make_cache(backbone, folder, condition, data)
        return setup(backbone, cache, condition, folder, expert, forcing=ForcingSettings())

    return opened


@pytest.mark.parametrize(("kind", "expert"), EXPERTS)
def test_a_real_wan_is_trained(wans: Any, kind: Kind, expert: str) -> None:
    given = wans(kind, expert)
    assert moved(given, DiffusionForcing(given)) > 0


def test_an_expert_learns_the_windows_that_it_is_asked_for(wans: Any) -> None:
    """Whose noisiest frame lies in its span: the high-noise one sees clean frames too, the low-noise one no frame above .9."""
    for expert in ("transformer", "transformer_2"):
        given = wans("wan2.2-i2v", expert)
        sigma = 1 - times(given)
        asked = {given.backbone.expert(float(level)) for level in sigma.max(dim=1).values}
        assert asked == {expert}
        assert sigma.min() == 0
    high = 1 - times(wans("wan2.2-i2v", "transformer"))
    assert ((high > 0) & (high < 0.5)).any()


def test_history_that_no_latents_hold_is_refused(wans: Any) -> None:
    given = wans("wan2.1-i2v")
    given.settings.condition = ConditionSettings(motion_frames=6)
    with pytest.raises(ValueError, match=r"condition.motion_frames is 6; .* set condition.motion_frames=5"):
        DiffusionForcing(given)
