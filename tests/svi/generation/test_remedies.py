"""Remedies without training in the clip loop: colours as the start image has them, and noise where the detector finds drift."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.backbones.padding import past_of
from svi.backbones.wan import WanBackbone
from svi.frames import Frames
from svi.generation.denoiser import Given
from svi.generation.generator import Generator
from svi.generation.loop import State
from svi.generation.remedies import recoloured
from svi.method.drift_detector import STRENGTH, drifted, statistics, updated
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, GenerateSettings
from tests.svi.films import CONDITION, SETTINGS, maker, scripts, sections, whole_and_stopped
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder

FRAMES = 13  # of three clips of 5 frames that overlap by 1


def clips(
    monkeypatch: pytest.MonkeyPatch, settings: GenerateSettings, condition: ConditionSettings = CONDITION
) -> list[tuple[Frames, State, Tensor, Tensor]]:
    """Of two films: a clip's frames, what it hands on, its condition's latents, and its own latents."""
    film, seen = maker(settings, condition), []
    made = film.denoiser.clip

    def spy(one: Given, x: Tensor) -> Tensor:
        seen.append((one.condition["latents"].clone(), made(one, x)))
        return seen[-1][1]

    monkeypatch.setattr(film.denoiser, "clip", spy)
    story = scripts(3)
    film.encode([prompt for script in story for prompt in script.prompts])
    films, past, found = film.films_of(story), None, []
    for clip in range(3):
        frames, past = film.loop.next(films, clip, past)
        found.append((frames, past, *seen[-1]))
    return found


@pytest.mark.parametrize("fix", ["mean_std", "mkl", "histogram"])
def test_every_later_clip_is_shown_and_handed_on_in_the_start_image_s_colours(
    monkeypatch: pytest.MonkeyPatch, fix: str
) -> None:
    found = clips(monkeypatch, SETTINGS.model_copy(update={"fix": fix}))
    plain = clips(monkeypatch, SETTINGS)
    images = torch.from_numpy(np.stack([script.image for script in scripts(3)]))
    assert np.array_equal(found[0][0], plain[0][0])  # the first clip has them already
    backbone = maker().backbone
    for clip in (1, 2):
        frames, state, condition, latents = found[clip]
        assert np.array_equal(frames, recoloured(backbone.decode(latents).numpy(), images, fix))
        assert torch.equal(state["frames"], torch.from_numpy(frames[:, -1:].copy()))
        handed_on = backbone.encode(found[clip - 1][1]["frames"])
        assert torch.equal(condition[:, 4:, :1], handed_on)
    assert not np.array_equal(found[1][0], plain[1][0])
    means = [np.abs(f[2][0].mean((1, 2, 3)) - images.numpy().mean((1, 2))).max() for f in (found, plain)]
    assert means[0] < means[1] / 2  # not 0: levels are cut at 0 and 255


def test_each_film_is_matched_to_its_own_image() -> None:
    rng = np.random.default_rng(0)
    frames, images = (rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((2, 3, 8, 8, 3), (2, 8, 8, 3)))
    both = recoloured(frames, torch.from_numpy(images), "histogram")
    one = recoloured(frames[1:], torch.from_numpy(images[1:]), "histogram")
    assert np.array_equal(both[1:], one)


@pytest.mark.parametrize("handoff", ["pixel", "latent"])
@pytest.mark.parametrize(
    ("padding", "anchor", "reached"), [("repeat", False, 5), ("zeros", False, 1), ("zeros", True, 1)]
)
def test_what_a_drifted_clip_hands_on_is_disturbed_for_its_film_alone(
    monkeypatch: pytest.MonkeyPatch, handoff: str, padding: str, anchor: bool, reached: int
) -> None:
    """Second film: every clip is judged to have drifted. The disturbance is noise of the detector's strength on the motion."""
    condition = ConditionSettings(motion_frames=1, padding=padding, anchor=anchor)
    settings = SETTINGS.model_copy(update={"handoff": handoff, "detector": "statistics"})
    monkeypatch.setattr("svi.generation.remedies.drifted", lambda *_: torch.tensor([False, True]))
    found = clips(monkeypatch, settings, condition)
    backbone = maker(settings, condition).backbone
    images = torch.from_numpy(np.stack([script.image for script in scripts(3)]))
    noises = []
    for clip in (1, 2):
        past, given = found[clip - 1][1], found[clip][2]
        latents = past["latents"] if handoff == "latent" else None
        clean = backbone.condition(past["frames"], images, condition, latents)["latents"]
        change = given - clean
        assert not change[0].any()
        assert not change[1, :4].any()  # the mask
        first = int(anchor)
        assert not change[1, 4:, :first].any()
        noise = change[1, 4:, first]
        torch.testing.assert_close(change[1, 4:, first : first + reached], noise[:, None].expand(-1, reached, -1, -1))
        assert not change[1, 4:, first + reached :].any()
        noises.append(noise / STRENGTH)
        assert float(noises[-1].std()) == pytest.approx(1, abs=0.25)
    assert abs(float(torch.corrcoef(torch.stack([n.flatten() for n in noises]))[0, 1])) < 0.35


def test_the_detector_judges_each_clip_s_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    average = None
    for _, state, _, latents in clips(monkeypatch, SETTINGS.model_copy(update={"detector": "statistics"})):
        average = updated(average, statistics(latents))
        assert torch.equal(state["mean"], average.mean)
        assert torch.equal(state["var"], average.var)
        assert torch.equal(state["drifted"], drifted(average, statistics(latents)))


def test_without_remedies_nothing_more_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {name for _, state, _, _ in clips(monkeypatch, SETTINGS) for name in state} == {"frames", "latents"}


def test_stopped_anywhere_and_resumed_is_identical_with_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svi.method.drift_detector.LIMIT", 1e-3)  # so that it speaks
    settings = SETTINGS.model_copy(update={"fix": "mkl", "detector": "statistics"})
    whole, cut = whole_and_stopped(lambda: maker(settings), scripts(3), FRAMES, tmp_path)
    assert np.array_equal(whole, cut)
    still = tmp_path / "still"
    still.mkdir()
    maker(SETTINGS.model_copy(update={"fix": "mkl"})).films(scripts(3), FRAMES, 8, still, lambda done, total: None)
    assert not np.array_equal(np.load(still / "frames.npy"), whole)


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_two_clips_of_a_real_wan(
    kind: Kind, wan_folder: WanFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svi.generation.remedies.drifted", lambda *_: torch.tensor([True]))
    data = DataSettings(height=32, width=64, clip_frames=9)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    films = {}
    for name, changes in {"plain": {}, "fixed": {"fix": "histogram"}, "watched": {"detector": "statistics"}}.items():
        read = sections(SETTINGS.model_copy(update=changes), ConditionSettings(motion_frames=1))
        folder = tmp_path / name
        folder.mkdir()
        generator = Generator(backbone, backbone.transformers, read)
        generator.films(scripts(2, 1, data), 17, 8, folder, lambda done, total: None)
        films[name] = np.load(folder / "frames.npy")
    for name in ("fixed", "watched"):
        assert films[name].shape == (1, 17, 32, 64, 3)
        assert np.array_equal(films[name][:, :8], films["plain"][:, :8])
        assert not np.array_equal(films[name][:, 9:], films["plain"][:, 9:])


def test_the_past_of_a_condition_is_its_motion_frames() -> None:
    latents = torch.arange(6.0)[None, None, :, None, None].expand(1, 7, 6, 2, 2)
    for anchor, expected in ((False, [0.0, 1.0]), (True, [1.0, 2.0])):
        past = past_of({"latents": latents}, ConditionSettings(motion_frames=2, anchor=anchor), 3, 2)
        assert past.shape == (1, 3, 2, 2, 2)
        assert past[0, 0, :, 0, 0].tolist() == expected
