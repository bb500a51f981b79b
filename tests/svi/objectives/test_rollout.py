"""Films of the model in training: as films are made, without gradient, and beside the true clips that belong to them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from svi.data import world
from svi.data.footage import WorldFootage
from svi.generation.clips import ClipLoop
from svi.generation.denoiser import Denoiser
from svi.objectives.objective import Setup
from svi.objectives.rollout import Rollouts, resting
from svi.settings import DataSettings
from tests.svi.conftest import DATA
from tests.svi.data.videos import make_video
from tests.svi.objectives.rolling import GENERATE, LORA, evaluations, open_wan, settings, setup
from tests.svi.wan_folder import WanFolder


def test_rollouts_are_made_as_films_are(tmp_path: Path) -> None:
    """By the same loop, with the same sampler, from a training clip's first frame; each condition is the next clip's."""
    made = setup(tmp_path, settings())
    rollouts = Rollouts(made, followed=True)
    starts = rollouts.starts(["a", "b"])
    rolled = rollouts.roll(made.model, starts)
    assert len(rolled) == 3
    loop = ClipLoop(Denoiser(made.backbone, {made.expert: made.model}, GENERATE), made.settings)
    footage, past = WorldFootage(DATA), None
    assert all(
        (footage.read(row).frames[0] == image.numpy()).all()
        for row, image in zip(starts.rows, starts.images, strict=True)
    )
    for clip, one in enumerate(rolled):
        frames, past = loop.next(starts, clip, past)
        assert (one.frames == frames).all()
        handed_on = made.backbone.encode(torch.from_numpy(frames[:, -1:].copy()))
        assert torch.equal(one.after["latents"][:, 4:, :1], handed_on)


def test_no_gradient_reaches_a_rollout_and_the_model_trains_on(tmp_path: Path) -> None:
    made = setup(tmp_path, settings())
    rollouts, model = Rollouts(made, followed=True), made.model.train()
    with evaluations(made.backbone) as seen:
        rolled = rollouts.roll(model, rollouts.starts(["a"]))
    assert len(seen) == 3 * GENERATE.steps
    assert not any(one.gradient for one in seen)
    assert not any(x.requires_grad for one in rolled for x in one.after.values())
    assert model.training


def test_a_model_that_fails_at_rest_trains_on_too(tmp_path: Path) -> None:
    model = setup(tmp_path, settings()).model.train()
    with pytest.raises(ZeroDivisionError), resting(model):
        1 / model.training
    assert model.training


def test_the_true_clip_is_the_one_that_the_film_has_come_to(tmp_path: Path) -> None:
    """Two clips on, where the true film is by then; encoded as the latent cache has its own."""
    made = setup(tmp_path, settings())
    rollouts = Rollouts(made, followed=True)
    starts, footage = rollouts.starts(["a", "b", "c"]), WorldFootage(DATA)
    true, here = rollouts.true(starts, 2), rollouts.true(starts, 0)
    for i, row in enumerate(starts.rows):
        film = world.render([footage.scenes[row]] * 13)
        close = (made.backbone.decode(true.latents)[i].numpy().astype(int) - film[8:]) ** 2
        assert 10 * np.log10(255**2 / close.mean()) > 20  # the codec keeps 8 of 48 components
    cached = made.data.batch(starts.rows, [False] * 3, [0] * 3)
    assert torch.equal(here.latents, cached.latents)
    assert torch.equal(here.condition["latents"], cached.condition["latents"])
    assert torch.equal(here.text, cached.text)
    assert not torch.equal(true.latents, cached.latents)


def test_films_of_a_step_do_not_depend_on_how_many_are_made_at_once(tmp_path: Path) -> None:
    made = setup(tmp_path, settings())
    one = setup(tmp_path / "one", settings(train=LORA.model_copy(update={"micro_batch": 1})))
    together, alone = (list(Rollouts(s, followed=True).of_step(8)) for s in (made, one))
    assert (len(together), len(alone)) == (1, 4)
    assert [name for starts in alone for name in starts.names] == together[0].names
    assert [row for starts in alone for row in starts.rows] == together[0].rows
    assert torch.equal(torch.cat([starts.noise(1) for starts in alone]), together[0].noise(1))
    others = next(Rollouts(made, followed=True).of_step(4))
    assert not torch.equal(others.noise(1), together[0].noise(1))


def of_a_video(folder: Path, clips: int, hold_back: float = 0.1) -> Setup:
    """24 frames from black to white, in windows of 5, of which the first few are trained on."""
    (folder / "videos").mkdir()
    make_video(folder / "videos" / "one.mp4")
    data = DataSettings(path=str(folder / "videos"), height=16, width=16, hold_back=hold_back)
    return setup(folder, settings(data=data, clips=clips))


def test_real_videos_are_followed_as_far_as_they_go(tmp_path: Path) -> None:
    """19 of the frames are for training: behind a clip there is room for three more, each 4 frames on, at most."""
    made = of_a_video(tmp_path, clips=9)
    rollouts = Rollouts(made, followed=True)
    assert rollouts.clips == 3
    starts = rollouts.starts([str(i) for i in range(30)])
    assert set(starts.rows) == {0, 1, 2}
    later = rollouts.true(starts, 3).latents
    expected = made.backbone.encode(
        torch.from_numpy(np.stack([rollouts.sequels.footage.read(r + 12).frames for r in starts.rows]))
    )
    assert torch.equal(later, expected)
    assert Rollouts(made, followed=False).clips == 9  # whoever needs no truth may go on


def test_one_long_video_among_short_ones_is_not_all_that_films_start_from(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for name, frames in [("long", 60), *((f"short{i}", 30) for i in range(24))]:
        make_video(tmp_path / "videos" / f"{name}.mp4", frames)
    data = DataSettings(path=str(tmp_path / "videos"), height=16, width=16, hop=5)
    rollouts = Rollouts(setup(tmp_path, settings(data=data, clips=9)), followed=True)
    rows = set(rollouts.starts([str(i) for i in range(60)]).rows)
    assert rollouts.clips == 2
    assert len(rows) == 3  # a tenth of the 28 that go on at all; five clips would be left to one


def test_clips_that_nothing_follows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no training video goes on for 4 frames behind a clip"):
        Rollouts(of_a_video(tmp_path, clips=2, hold_back=0.7), followed=True)


def test_a_cache_without_its_torn_clips_is_refused(tmp_path: Path) -> None:
    """Its rows are not the footage's; a cache that is opened in part is the same footage's beginning."""
    made = setup(tmp_path, settings(train=LORA.model_copy(update={"clips": 7})))
    assert set(Rollouts(made, followed=True).starts([str(i) for i in range(60)]).rows) == set(range(7))
    made.settings.data = DATA.model_copy(update={"clips": 25})
    with pytest.raises(ValueError, match="the latent cache has 24 of 25 clips"):
        Rollouts(made, followed=True)


def test_one_of_two_experts_cannot_be_rolled_out(tmp_path: Path, wan_folder: WanFolder) -> None:
    backbone, read = open_wan(wan_folder("wan2.2-i2v"))
    with pytest.raises(ValueError, match="transformer works at some noise levels alone, so that it cannot make a clip"):
        Rollouts(setup(tmp_path, read, backbone), followed=True)
