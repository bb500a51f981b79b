"""The loop of diffusion forcing: orders that must be one, history that stays itself, and films of real Wans."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.axes import ForcingSettings
from svi.backbones.padding import unknown
from svi.backbones.wan import WanBackbone
from svi.generation.denoiser import Given
from svi.generation.forcing import ForcingLoop
from svi.generation.generator import Generator
from svi.generation.loop import Probed
from svi.method.levels import descended, pyramid
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, GenerateSettings
from tests.svi import films
from tests.svi.conftest import CONDITION, make_backbone
from tests.svi.films import SETTINGS, quiet, scripts, sections, whole_and_stopped
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder

STEPS = SETTINGS.model_copy(update={"steps": 3})
PLAIN, NOISY = ForcingSettings(), ForcingSettings(sigma_h=0.3)
GUIDED, STAGGERED = ForcingSettings(weight=1.5), ForcingSettings(stagger=1.5)
ALL = ForcingSettings(sigma_h=0.3, weight=1.5, stagger=1.5)


def maker(
    forcing: ForcingSettings = PLAIN, condition: ConditionSettings = CONDITION, settings: GenerateSettings = STEPS
) -> Generator:
    return films.maker(settings, condition, loop=ForcingLoop, forcing=forcing)


def clips(generator: Generator, n: int = 2) -> list[tuple[np.ndarray, dict[str, Tensor]]]:
    """Frames and state of the first clips of two films."""
    story, found, past = scripts(3), [], None
    generator.encode([prompt for script in story for prompt in script.prompts])
    made = generator.films_of(story)
    for clip in range(n):
        frames, past = generator.loop.next(made, clip, past)
        found.append((frames, past))
    return found


def test_equal_levels_are_ordinary_denoising() -> None:
    """A window whose frames are all at one level is the clip that `Denoiser.clip` makes.

    To the last bit where the model is told one level a clip, to last digits where it is told the same one for every frame.
    """
    generator = maker()
    denoiser, backbone = generator.denoiser, generator.backbone
    story = scripts(1)
    generator.encode([script.prompts[0] for script in story])
    made = generator.films_of(story)
    condition = unknown(backbone.condition(made.images[:, None], made.images, CONDITION))
    given, x = Given(condition, made.text(0), made.negative), made.noise(0)
    levels = pyramid(denoiser.sigmas, backbone.latent_shape[1])

    def once(level: Tensor, window: Tensor) -> Tensor:
        return denoiser.velocity(float(level[0]), window, given)

    def each(level: Tensor, window: Tensor) -> Tensor:
        return denoiser.velocity(level.expand(len(window), -1), window, given)

    with torch.no_grad():
        expected = denoiser.clip(given, x)
        assert torch.equal(descended(x, levels, once), expected)
        torch.testing.assert_close(descended(x, levels, each), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("forcing", [PLAIN, NOISY, GUIDED, STAGGERED, ALL])
def test_an_exact_velocity_leads_to_the_data(forcing: ForcingSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the history's level, the guidance and the order: with known data every clip is the data behind its history."""
    generator = maker(forcing)
    backbone = generator.backbone
    data = torch.randn(2, *backbone.latent_shape, generator=torch.Generator().manual_seed(3)) / 2
    told = []

    def exact(model: object, x: Tensor, t: Tensor, *rest: object) -> Tensor:
        told.append(1 - t)
        return ((data - x) / (1 - t).clamp_min(1e-9)[:, None, :, None, None]).float()

    monkeypatch.setattr(backbone, "velocity", exact)
    (first, _), (second, state) = clips(generator)
    expected = backbone.decode(data).numpy()
    for frames in (first, second):
        assert np.abs(frames[:, 1:].astype(int) - expected[:, 1:]).max() <= 1  # last digits, rounded
    torch.testing.assert_close(state["latents"], data[:, :, -1:], atol=1e-4, rtol=0)
    history = {round(float(level[0, 0]), 9) for level in told}
    masked = {1.0} if forcing.weight != 1 else set()
    assert history == {forcing.sigma_h} | masked


def test_history_is_noised_to_what_the_model_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clip's own noise, so afresh for each clip, and the same at every step of it."""
    generator, seen = maker(NOISY), []
    plain = generator.backbone.velocity

    def spy(model: Any, x: Tensor, t: Tensor, *rest: Any) -> Tensor:
        seen.append(x[:, :, 0])
        return plain(model, x, t, *rest)

    monkeypatch.setattr(generator.backbone, "velocity", spy)
    (first, _), _ = clips(generator)
    made = generator.films_of(scripts(3))
    for clip, frame in ((0, made.images), (1, torch.from_numpy(first[:, -1]))):
        history, noise = generator.backbone.encode(frame[:, None])[:, :, 0], made.noise(clip)[:, :, 0]
        for x in seen[3 * clip : 3 * clip + 3]:
            torch.testing.assert_close(x, 0.7 * history + 0.3 * noise)


@pytest.mark.parametrize("forcing", [PLAIN, NOISY, GUIDED, STAGGERED])
def test_a_clip_begins_with_the_frames_of_the_one_before(forcing: ForcingSettings) -> None:
    generator = maker(forcing, ConditionSettings(motion_frames=2))
    (first, _), (second, _) = clips(generator)
    image = torch.from_numpy(np.stack([script.image for script in scripts(3)]))[:, None]
    backbone = make_backbone()
    assert np.array_equal(first[:, :1], backbone.decode(backbone.encode(image)).numpy())  # as any frame that is decoded
    assert np.array_equal(second[:, :2], first[:, -2:])
    assert not np.array_equal(second[:, 2:], first[:, :-2])


def test_history_reaches_the_new_frames() -> None:
    """Another start image, another clip: nothing but the history tells of it."""
    generator = maker()
    story = scripts(1)
    generator.encode([script.prompts[0] for script in story])
    made = generator.films_of(story)
    frames, _ = generator.loop.next(made, 0, None)
    made.images = 255 - made.images
    other, _ = generator.loop.next(made, 0, None)
    assert not np.array_equal(frames[:, 1:], other[:, 1:])


def test_what_is_probed_is_the_first_frame_behind_the_image() -> None:
    """Without an error to the last bit; an error of the image reaches it."""
    generator = maker(NOISY)
    story = scripts(1)
    generator.encode([script.prompts[0] for script in story])
    made, loop = generator.films_of(story), generator.loop
    assert isinstance(loop, Probed)
    error = torch.randn(2, *np.array(generator.backbone.latent_shape)[[0, 2, 3]])
    found = loop.first(made, torch.zeros_like(error))
    frames, _ = loop.next(made, 0, None)
    latents = found.made[:, :, None].expand(-1, -1, 5, -1, -1)
    assert np.array_equal(generator.denoiser.decode(latents)[:, 1], frames[:, 1])
    assert found.given is None
    assert not torch.equal(loop.first(made, error).made, found.made)


@pytest.mark.parametrize("forcing", [GUIDED, NOISY, STAGGERED])
def test_every_setting_changes_films(forcing: ForcingSettings) -> None:
    assert not np.array_equal(clips(maker())[0][0], clips(maker(forcing))[0][0])


def test_guidance_of_weight_1_is_none() -> None:
    """Also in the limit, where both velocities are computed; and guidance is linear in its weight."""

    def latents(weight: float) -> Tensor:
        """After one step, which is all guidance acts on."""
        generator = maker(ForcingSettings(weight=weight), settings=STEPS.model_copy(update={"steps": 1}))
        return clips(generator, 1)[0][1]["latents"].double()

    plain, nearly, half, masked = (latents(w) for w in (1.0, 1.0 + 1e-6, 0.5, 0.0))
    torch.testing.assert_close(nearly, plain, atol=1e-5, rtol=0)
    assert (plain - masked).abs().max() > 1e-3
    torch.testing.assert_close(half, (plain + masked) / 2, atol=1e-5, rtol=0)


def test_stopped_after_every_clip_and_resumed_is_identical(tmp_path: Path) -> None:
    whole, cut = whole_and_stopped(lambda: maker(ALL), scripts(3), 13, tmp_path)
    assert np.array_equal(whole, cut)


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_films_of_wan(tmp_path: Path, wan_folder: WanFolder, kind: Kind) -> None:
    """Two clips with five motion frames, two latents of history, of each kind of Wan."""
    data = DataSettings(height=32, width=32, clip_frames=13)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    settings = STEPS.model_copy(update={"guidance": 3.0, "lossless": True})
    forcing = NOISY if kind == "wan2.2-i2v" else ALL
    read = sections(settings, ConditionSettings(motion_frames=5), forcing=forcing)
    Generator(backbone, backbone.transformers, read, ForcingLoop).films(scripts(2, 1, data), 21, 8, tmp_path, quiet)
    film = np.load(tmp_path / "frames.npy")[0]
    assert film.shape == (21, 32, 32, 3)
    assert (np.abs(np.diff(film.astype(int), axis=0)).max(axis=(1, 2, 3)) > 0).all()


@pytest.mark.parametrize(
    ("kind", "motion", "forcing", "said"),
    [
        ("wan2.2-i2v", 5, GUIDED, r"forcing.weight is 1.5; .* the low-noise expert .* set forcing.weight=1"),
        ("wan2.1-i2v", 6, PLAIN, r"condition.motion_frames is 6; .* 4 k \+ 1 frames: set condition.motion_frames=5"),
    ],
)
def test_what_a_model_cannot_do_is_refused(
    wan_folder: WanFolder, kind: Kind, motion: int, forcing: ForcingSettings, said: str
) -> None:
    data = DataSettings(height=32, width=32, clip_frames=13)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder"), data)
    read = sections(STEPS, ConditionSettings(motion_frames=motion), forcing=forcing)
    with pytest.raises(ValueError, match=said):
        Generator(backbone, backbone.transformers, read, ForcingLoop)
