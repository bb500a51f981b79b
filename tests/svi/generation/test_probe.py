"""The probe of loops other than the clip loop."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.frames import Frames
from svi.generation.clips import ClipLoop
from svi.generation.denoiser import Denoiser
from svi.generation.loop import Films, First, State
from svi.generation.probe import probe
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
