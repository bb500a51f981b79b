"""Step-first order: the wave is the plain double loop, is cheap, streams, and runs on real Wans."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.backbones.padding import unknown
from svi.backbones.wan import WanBackbone
from svi.generation.denoiser import Given
from svi.generation.generator import Generator
from svi.generation.step_first import IN_FLIGHT, StepFirst
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi import films
from tests.svi.conftest import CONDITION
from tests.svi.films import SETTINGS, quiet, scripts, sections, whole_and_stopped
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder

LATENT = SETTINGS.model_copy(update={"handoff": "latent"})


def maker(steps: int = 3, condition: ConditionSettings = CONDITION) -> Generator:
    return films.maker(LATENT.model_copy(update={"steps": steps}), condition, loop=StepFirst)


def waves(generator: Generator, clips: int) -> list[tuple[np.ndarray, dict[str, Tensor]]]:
    """Frames and state of every clip of two films."""
    story, found, past = scripts(clips), [], None
    generator.encode([prompt for script in story for prompt in script.prompts])
    made = generator.films_of(story)
    for clip in range(clips):
        frames, past = generator.loop.next(made, clip, past)
        found.append((frames, past))
    return found


@torch.no_grad()
def double_loop(generator: Generator, clips: int) -> list[Tensor]:
    """For every step, for every block of the whole film: each behind the end of the one before, which has just taken that step."""
    denoiser, backbone, made = generator.denoiser, generator.backbone, generator.films_of(scripts(clips))
    m = generator.condition.overlap
    sigmas, image = denoiser.sigmas, backbone.encode(made.images[:, None])
    given = unknown(backbone.condition(made.images[:, None], made.images, generator.condition))
    blocks = [made.noise(b)[:, :, m if b else 1 :] for b in range(clips)]
    for now, then in itertools.pairwise(sigmas):
        for b in range(clips):
            before, at = (blocks[b - 1][:, :, -m:], then) if b else (image, 0.0)
            level = torch.tensor([at] * before.shape[2] + [now] * blocks[b].shape[2], dtype=torch.float64)
            window = torch.cat([before, blocks[b]], dim=2)
            v = denoiser.velocity(level.expand(2, -1), window, Given(given, made.text(b), made.negative))
            blocks[b] = (window + (now - then) * v)[:, :, before.shape[2] :]
    return blocks


@pytest.mark.parametrize(("steps", "clips", "motion"), [(3, 6, 1), (3, 2, 1), (1, 3, 1), (4, 5, 2)])
def test_the_wave_is_the_double_loop(steps: int, clips: int, motion: int) -> None:
    """To the last bit, for films longer and shorter than there are blocks in flight."""
    generator = maker(steps, ConditionSettings(motion_frames=motion))
    made = waves(generator, clips)
    for (frames, state), expected in zip(made, double_loop(generator, clips), strict=True):
        assert torch.equal(state["latents"], expected[:, :, -motion:])
        new = generator.denoiser.decode(torch.cat([expected[:, :, :1], expected], dim=2))[:, 1:]
        assert np.array_equal(frames[:, -new.shape[1] :], new)


def test_a_clip_costs_as_many_forwards_as_there_are_steps_and_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But the first, which fills the wave, and the last ones, behind which nothing is begun; each block takes every step once."""
    generator, forwards = maker(steps=4), 0
    plain = generator.backbone.velocity

    def counted(*arguments: Any) -> Tensor:
        nonlocal forwards
        forwards += 1
        return plain(*arguments)

    monkeypatch.setattr(generator.backbone, "velocity", counted)
    story, past, found = scripts(7), None, []
    generator.encode([prompt for script in story for prompt in script.prompts])
    made = generator.films_of(story)
    in_flight = []
    for clip in range(7):
        before = forwards
        _, past = generator.loop.next(made, clip, past)
        found.append(forwards - before)
        in_flight.append(past[IN_FLIGHT].shape[1])
    assert found == [4 + 3 + 2 + 1, 4, 4, 4, 3, 2, 1]
    assert sum(found) == 4 * 7
    assert in_flight == [3, 3, 3, 3, 2, 1, 0]


def test_a_step_sees_the_block_before_at_the_level_that_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told so: never cleaner than the block itself becomes, and clean at the last step alone, but for the image."""
    generator, told = maker(steps=3), set()
    plain = generator.backbone.velocity

    def spy(model: Any, x: Tensor, t: Tensor, *rest: Any) -> Tensor:
        told.add(tuple(round(float(1 - level), 6) for level in t[0, :2]))
        return plain(model, x, t, *rest)

    monkeypatch.setattr(generator.backbone, "velocity", spy)
    waves(generator, 5)
    sigmas = [round(sigma, 6) for sigma in generator.denoiser.sigmas]
    assert told == {*zip(sigmas[1:], sigmas, strict=False), *((0.0, sigma) for sigma in sigmas[:-1])}


def test_an_exact_velocity_leads_to_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = maker()
    data = torch.randn(2, *generator.backbone.latent_shape, generator=torch.Generator().manual_seed(3)) / 2

    def exact(model: object, x: Tensor, t: Tensor, *rest: object) -> Tensor:
        return ((data - x) / (1 - t).clamp_min(1e-9)[:, None, :, None, None]).float()

    monkeypatch.setattr(generator.backbone, "velocity", exact)
    expected = generator.backbone.decode(data).numpy()
    for frames, state in waves(generator, 4):
        assert np.abs(frames[:, 1:].astype(int) - expected[:, 1:]).max() <= 1
        torch.testing.assert_close(state["latents"], data[:, :, -1:], atol=1e-4, rtol=0)


def test_a_clip_begins_with_the_frames_of_the_one_before() -> None:
    made = waves(maker(condition=ConditionSettings(motion_frames=2)), 3)
    for (earlier, _), (later, _) in itertools.pairwise(made):
        assert np.array_equal(later[:, :2], earlier[:, -2:])


def test_stopped_after_every_clip_and_resumed_is_identical(tmp_path: Path) -> None:
    whole, cut = whole_and_stopped(maker, scripts(5), 21, tmp_path)
    assert np.array_equal(whole, cut)


def test_more_history_than_a_block_has_is_refused() -> None:
    with pytest.raises(ValueError, match="3 latents of history, but a clip of 5 has 2 new ones"):
        maker(condition=ConditionSettings(motion_frames=3))


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_films_of_wan(tmp_path: Path, wan_folder: WanFolder, kind: Kind) -> None:
    """Two clips with five motion frames, of each kind of Wan, both experts included."""
    data = DataSettings(height=32, width=32, clip_frames=13)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    read = sections(LATENT.model_copy(update={"guidance": 3.0, "steps": 3}), ConditionSettings(motion_frames=5))
    asked: list[str] = []
    generator = Generator(backbone, backbone.transformers, read, StepFirst)
    expert = backbone.expert
    backbone.expert = lambda sigma: asked.append(expert(sigma)) or asked[-1]  # type: ignore[method-assign, func-returns-value]
    generator.films(scripts(2, 1, data), 21, 8, tmp_path, quiet)
    film = np.load(tmp_path / "frames.npy")[0]
    assert film.shape == (21, 32, 32, 3)
    assert set(asked) == set(backbone.transformers)
    assert (np.abs(np.diff(film.astype(int), axis=0)).max(axis=(1, 2, 3)) > 0).all()
