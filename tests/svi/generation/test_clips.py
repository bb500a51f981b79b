"""The clip loop's memory: which image is the reference of the next clip."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.generation.denoiser import Given
from svi.settings import ConditionSettings
from tests.svi.films import maker, scripts, whole_and_stopped

ANCHORED = ConditionSettings(motion_frames=1, padding="zeros", anchor=True)
FRAMES = 11  # of three clips of 5 frames that overlap by 2


class Half:
    """Halfway from the last reference to the last frame."""

    def reference(self, start: Tensor, last: Tensor, frames: Tensor) -> Tensor:
        return ((last.int() + frames[:, -1].int()) // 2).to(torch.uint8)


def test_a_memory_chooses_the_reference_of_the_next_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    film, given = maker(condition=ANCHORED, memory=Half()), []
    made = film.denoiser.clip

    def spy(one: Given, x: Tensor) -> Tensor:
        given.append(one.condition["latents"][:, 4:, :1])  # the anchor's latent
        return made(one, x)

    monkeypatch.setattr(film.denoiser, "clip", spy)
    film.encode(scripts(3)[0].prompts)
    films = film.films_of(scripts(3)[:1])
    reference, past = films.images, None
    for clip in range(3):
        frames, past = film.loop.next(films, clip, past)
        assert torch.equal(given[clip], film.backbone.encode(reference[:, None]))
        reference = Half().reference(films.images, reference, torch.from_numpy(frames))
    assert not torch.equal(given[1], given[2])


def test_stopped_anywhere_and_resumed_is_identical_with_a_memory(tmp_path: Path) -> None:
    whole, cut = whole_and_stopped(lambda: maker(condition=ANCHORED, memory=Half()), scripts(3), FRAMES, tmp_path)
    assert np.array_equal(whole, cut)
