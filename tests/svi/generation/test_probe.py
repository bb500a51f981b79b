"""The probe: of the clip loop, and of others."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.axes import ForcingSettings, StreamSettings
from svi.backbones.meter import Meter
from svi.frames import Frames
from svi.generation.clips import ClipLoop
from svi.generation.denoiser import Denoiser, Given
from svi.generation.forcing import ForcingLoop
from svi.generation.loop import Films, First, Loop, State
from svi.generation.probe import probe
from svi.generation.step_first import StepFirst
from svi.generation.stream import StreamLoop
from svi.settings import ConditionSettings
from tests.svi.films import SETTINGS, maker, scripts


class Halving:
    """A loop that hands half of the image's latents on, on the noise of its first clip."""

    def __init__(self, denoiser: Denoiser, settings: Any, memory: Any = None) -> None:
        self.denoiser = denoiser

    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        return self.denoiser.decode(films.noise(clip)), {}

    def first(self, films: Films, error: Tensor) -> First:
        latents = self.denoiser.backbone.encode(films.images[:, None])[:, :, 0] + error
        return First(films.noise(0)[:, :, 0] + 0.5 * latents)


def test_gain_without_eps_where_the_first_frame_is_a_new_one() -> None:
    found = probe(maker(SETTINGS.model_copy(update={"together": 1}), loop=Halving), scripts(1))
    change = found["output_perturbed"] - found["output_clean"]
    np.testing.assert_allclose(change, 0.5 * found["perturbation"], atol=1e-5)
    assert np.isnan(found["condition"]).all()


def test_what_is_probed_is_the_clip_that_films_begin_with() -> None:
    """Without an error, on a film's own noise: to the last bit."""
    made = maker()
    made.encode([prompt for script in scripts(1) for prompt in script.prompts])
    films = made.films_of(scripts(1))
    loop = made.loop
    assert isinstance(loop, ClipLoop)
    shape = made.backbone.latent_shape
    first = loop.first(films, torch.zeros(len(films.images), shape[0], *shape[2:]))
    latents = first.made[:, :, None].expand(-1, -1, shape[1], -1, -1)
    np.testing.assert_array_equal(made.denoiser.decode(latents)[:, 0], loop.next(films, 0, None)[0][:, 0])


def test_a_loop_without_a_first_frame_to_follow_is_refused() -> None:
    class Bare:
        def __init__(self, denoiser: Denoiser, settings: Any, memory: Any = None) -> None: ...

        def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
            raise AssertionError

    with pytest.raises(ValueError, match=r"a method `first`.*which Bare has not"):
        probe(maker(loop=Bare), scripts(1))


def probed(loop: type[Loop], forcing: ForcingSettings) -> dict[str, np.ndarray]:
    """Of a model that copies the frame before a clip, as it is shown to it, into every new frame."""
    made = maker(SETTINGS.model_copy(update={"steps": 4}), loop=loop, forcing=forcing)

    def copying(transformer: object, x: Tensor, t: Tensor, *rest: object) -> Tensor:
        return (x[:, :, :1] - x) / (1 - t).clamp(min=1e-6).to(x.dtype)[:, None, :, None, None]

    made.backbone.velocity = copying  # type: ignore[method-assign, assignment]
    return probe(made, scripts(1))


@pytest.mark.parametrize(
    ("loop", "forcing", "gain"),
    [
        (ForcingLoop, ForcingSettings(), 1.0),
        (ForcingLoop, ForcingSettings(sigma_h=0.25), 0.75),  # less of an error is seen in a noisy history
        (ForcingLoop, ForcingSettings(stagger=2.0), 1.0),
        (StepFirst, ForcingSettings(), 1.0),  # the last step's history is clean
    ],
)
def test_gain_of_a_model_that_copies_what_it_sees(loop: type[Loop], forcing: ForcingSettings, gain: float) -> None:
    found = probed(loop, forcing)
    change = found["output_perturbed"] - found["output_clean"]
    np.testing.assert_allclose(change, gain * found["perturbation"], atol=1e-5)
    assert np.isnan(found["condition"]).all()


def test_a_later_block_sees_an_error_at_the_level_that_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    made, seen = maker(SETTINGS.model_copy(update={"steps": 4}), loop=StepFirst), list[Tensor]()
    velocity = made.denoiser.velocity

    def spy(sigma: Tensor, x: Tensor, given: Given) -> Tensor:
        seen.append(x[:, :, 0])
        return velocity(sigma, x, given)

    monkeypatch.setattr(made.denoiser, "velocity", spy)
    error = torch.from_numpy(probe(made, scripts(1))["perturbation"])
    for sigma, clean, wrong in zip(made.denoiser.sigmas[1:], seen[:4], seen[4:], strict=True):
        torch.testing.assert_close(wrong - clean, (1 - sigma) * error)


@pytest.mark.parametrize(
    ("loop", "sections", "first", "whole"),
    [
        # Of 4 new frames, the last begins 6 steps after the first.
        (ForcingLoop, {"forcing": ForcingSettings(stagger=2.0)}, 3, 9),
        # An ordinary clip, then two micro-steps a frame, of which the first is the image again.
        (StreamLoop, {"stream": StreamSettings(micro_steps=2)}, 3 + 2 * 2, 3 + 5 * 2),
    ],
)
def test_a_first_frame_that_is_there_before_its_clip_is_told(
    loop: type[Loop], sections: dict[str, Any], first: int, whole: int
) -> None:
    made = maker(SETTINGS.model_copy(update={"steps": 3}), loop=loop, **sections)
    made.encode(scripts(1)[0].prompts)
    meter, calls = Meter(), list[int]()
    for model in made.denoiser.models.values():
        meter.watch(model)
    made.denoiser.known = lambda: calls.append(meter.calls)
    made.loop.next(made.films_of(scripts(1)[:1]), 0, None)
    assert (calls[0], meter.calls) == (first, whole)


@pytest.mark.parametrize(("padding", "reached"), [("repeat", 5), ("zeros", 1)])
def test_the_probe_perturbs_the_condition_that_films_start_from(
    monkeypatch: pytest.MonkeyPatch, padding: str, reached: int
) -> None:
    film, given = maker(condition=ConditionSettings(motion_frames=1, padding=padding)), []
    made = film.denoiser.clip

    def spy(one: Given, x: torch.Tensor) -> torch.Tensor:
        given.append(one.condition["latents"])
        return made(one, x)

    monkeypatch.setattr(film.denoiser, "clip", spy)
    found = probe(film, scripts(1))
    clean, perturbed = given
    difference = perturbed - clean
    noise = torch.from_numpy(found["perturbation"])[:, :, None].expand(-1, -1, reached, -1, -1)
    torch.testing.assert_close(difference[:, 4:, :reached], noise)
    assert not difference[:, :4].any()
    assert not difference[:, :, reached:].any()


def test_probe_of_a_model_that_copies_its_condition() -> None:
    """A backbone whose velocity leads straight to the condition has gain 1 and eps 0."""
    generator = maker(SETTINGS.model_copy(update={"together": 1}))
    channels = generator.backbone.latent_shape[0]

    def copying(
        transformer: object, x: torch.Tensor, t: torch.Tensor, condition: dict[str, torch.Tensor], *rest: object
    ) -> torch.Tensor:
        return ((condition["latents"][:, -channels:] - x) / (1 - t).reshape(-1, 1, 1, 1, 1)).float()

    generator.backbone.velocity = copying  # type: ignore[method-assign, assignment]
    found = probe(generator, scripts(1))
    assert found["condition"].shape == (2, *np.array(generator.backbone.latent_shape)[[0, 2, 3]])
    np.testing.assert_allclose(found["output_clean"], found["condition"], atol=1e-5)
    np.testing.assert_allclose(found["output_perturbed"] - found["output_clean"], found["perturbation"], atol=1e-5)
