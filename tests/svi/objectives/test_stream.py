"""The stream's objective: what is drawn and predicted, and that a real training learns it, on the tiny backbone and real Wans."""

from pathlib import Path
from typing import Any

import pytest
import torch

from svi.axes import StreamSettings
from svi.backbones.wan import WanBackbone
from svi.data.cache import LatentCache
from svi.objectives.objective import Objective, Setup
from svi.objectives.stream import Stream
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi.conftest import make_backbone, make_cache
from tests.svi.objectives.setups import EXPERTS, moved, noisy_mean, setup, taught
from tests.svi.wan_folder import Kind, WanFolder


@pytest.fixture
def given(cache: LatentCache, tmp_path: Path) -> Setup:
    return setup(make_backbone(), cache, folder=tmp_path, stream=StreamSettings())


def times(one: Setup, n: int = 300) -> torch.Tensor:
    objective = Stream(one)
    return torch.stack([objective.times(k, objective.draws[k].t) for k in range(n)])


def test_one_u_a_sample_puts_frames_on_the_diagonal(given: Setup) -> None:
    """Chunk i at 1 - (i - 1 + u) / N with u uniform; the same again for the same sample."""
    given.settings.stream = StreamSettings(chunk=1, mixed=False, whole=0)
    t = times(given)
    assert torch.equal(t, times(given))
    torch.testing.assert_close(t[:, :-1] - t[:, 1:], torch.full((300, 4), 0.2))
    u = 1 - 5 * (t[:, 0] - 0.8)
    for share in (0.1, 0.5, 0.9):
        torch.testing.assert_close(u.quantile(share), torch.tensor(share), atol=0.08, rtol=0)


def test_chunks_of_two_stand_behind_a_clean_frame(given: Setup) -> None:
    given.settings.stream = StreamSettings(chunk=2, mixed=False, whole=0)
    t = times(given, 20)
    assert (t[:, 0] == 1).all()
    assert torch.equal(t[:, 1], t[:, 2])
    assert torch.equal(t[:, 3], t[:, 4])
    torch.testing.assert_close(t[:, 1] - t[:, 3], torch.full((20,), 0.5))


def test_mixed_partitions_and_ordinary_clips(given: Setup) -> None:
    """Chunks of 1 and of 2 frames by even chance; a fifth are ordinary clips behind the first frame, at their draw's own time."""
    given.settings.stream = StreamSettings(whole=0.2)
    t = times(given)
    own = torch.stack([Objective(given).draws[k].t for k in range(300)])
    whole = (t[:, 1:] == own[:, None]).all(dim=1)
    assert (t[whole, 0] == 1).all()
    two = ~whole & (t[:, 1] == t[:, 2])
    shares = torch.tensor([float(x.float().mean()) for x in (whole, two, ~whole & ~two)])
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.4, 0.4]), atol=0.08, rtol=0)


def test_the_loss_is_the_mean_over_noisy_frames_and_no_image_is_given(given: Setup) -> None:
    objective = Stream(given)
    expected = noisy_mean(given, objective, range(8))
    torch.testing.assert_close(objective.loss(given.model, objective.clips(range(8)), 0), expected)


def test_every_partition_is_learned(given: Setup) -> None:
    """A short real training halves the error of both chunk sizes and of ordinary clips."""
    patterns = [[0.9, 0.7, 0.5, 0.3, 0.1], [1, 0.75, 0.75, 0.25, 0.25], [1, 0.2, 0.2, 0.2, 0.2]]
    for was, now in taught(given, Stream(given), patterns):
        assert now < 0.5 * was


@pytest.fixture(scope="module")
def wans(wan_folder: WanFolder, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A Wan of a kind and its clips, of six latents: a lead and a buffer of five."""
    data = DataSettings(clips=2, clip_frames=21, height=32, width=32)

    def opened(kind: Kind, expert: str = "transformer", **stream: Any) -> Setup:
        folder = tmp_path_factory.mktemp(kind)
        backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
        cache = make_cache(backbone, folder, ConditionSettings(motion_frames=1), data)
        return setup(backbone, cache, folder=folder, expert=expert, stream=StreamSettings(**stream))

    return opened


@pytest.mark.parametrize(("kind", "expert"), EXPERTS)
def test_a_real_wan_is_trained(wans: Any, kind: Kind, expert: str) -> None:
    given = wans(kind, expert)
    assert moved(given, Stream(given)) > 0


def test_an_expert_learns_the_windows_that_it_is_asked_for(wans: Any) -> None:
    """A stream's window always has a place of noise, the high-noise expert's; the other one is asked for ordinary clips alone."""
    for expert, streams in (("transformer", True), ("transformer_2", False)):
        given = wans("wan2.2-i2v", expert, whole=0.2)
        t = times(given, 60)
        asked = {given.backbone.expert(float(level)) for level in (1 - t).max(dim=1).values}
        assert asked == {expert}
        assert ((t[:, 1:] != t[:, 1:2]).any(dim=1)).any() == streams
