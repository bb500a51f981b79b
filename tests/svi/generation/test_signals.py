"""Films that follow a signal: which frames of it each clip is given, and how it guides."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from svi.backbones.backbone import Condition
from svi.backbones.catalogue import EXPERT
from svi.generation.clips import ClipLoop
from svi.generation.denoiser import Denoiser, Given
from svi.generation.free_noise import FreeNoise
from svi.generation.loop import Loop
from svi.generation.reel import Script
from svi.settings import GenerateSettings
from tests.svi.conftest import make_backbone
from tests.svi.films import SETTINGS, maker, quiet, scripts
from tests.svi.level import Levels, attach


def following(clips: int, levels: Tensor) -> list[Script]:
    return [replace(script, signal=Levels(levels + i)) for i, script in enumerate(scripts(clips))]


def test_a_clip_is_given_the_frames_that_it_shows() -> None:
    """Clips of five frames that share one: the second begins at frame 4; behind the signal's end its last value stays."""
    generator = maker()
    generator.encode([""])
    films = generator.films_of(following(3, torch.arange(10.0)))
    assert films.signals(0)["level"].tolist() == [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]]
    assert films.signals(1)["level"].tolist() == [[4, 5, 6, 7, 8], [5, 6, 7, 8, 9]]
    assert films.signals(2)["level"][0].tolist() == [8, 9, 9, 9, 9]
    assert generator.films_of(scripts(3)).signals(1) == {}


@pytest.mark.parametrize("loop", [ClipLoop, FreeNoise])
def test_another_signal_makes_another_film(loop: type[Loop], tmp_path: Path) -> None:
    def film(name: str, story: list[Script], settings: GenerateSettings = SETTINGS) -> np.ndarray:
        generator = maker(settings.model_copy(update={"lossless": True}), loop=loop)
        attach(generator.backbone.transformers[EXPERT], seed=0)
        bias = generator.backbone.transformers[EXPERT].blocks[0].level.spread.bias
        nn.init.normal_(bias, generator=torch.Generator().manual_seed(0))  # so that zeros are not nothing
        (tmp_path / name).mkdir()
        generator.films(story, 13, 8, tmp_path / name, quiet)
        return np.load(tmp_path / name / "frames.npy")

    levels = torch.linspace(0, 8, 13)
    own, flat, none = (
        film("own", following(3, levels)),
        film("flat", following(3, 0 * levels)),
        film("none", scripts(3)),
    )
    assert (own != none).any()
    assert np.array_equal(film("again", following(3, levels)), own)
    assert (own[0, :5] != flat[0, :5]).any()
    dropped = film("dropped", following(3, levels), SETTINGS.model_copy(update={"signal": "none"}))
    assert np.array_equal(dropped[0], flat[0])  # zeros, which training drops it to
    assert (dropped != none).any()


@pytest.mark.parametrize(
    ("weights", "names"),
    [
        ({"guidance": 1.0}, ["cond"]),
        ({"guidance": 2.0}, ["cond", "uncond"]),
        ({"guidance": 1.0, "signal_guidance": 5.0}, ["cond", "silent"]),
        ({"guidance": 2.0, "signal_guidance": 5.0}, ["cond", "uncond", "silent"]),
    ],
)
def test_guidance_by_text_and_signal(weights: Mapping[str, float], names: list[str]) -> None:
    """v = v_none + s_signal (v_signal - v_none) + s_text (v_both - v_signal), term by term (SVI-Talk)."""
    backbone = make_backbone()
    attach(backbone.transformers[EXPERT], seed=0)
    settings = GenerateSettings(steps=2, **weights)
    denoiser = Denoiser(backbone, backbone.transformers, settings)
    g = torch.Generator().manual_seed(0)
    x, text, negative = (torch.randn(1, *shape, generator=g) for shape in (backbone.latent_shape, (6, 16), (6, 16)))
    image = torch.randn(1, 12, *backbone.latent_shape[1:], generator=g)
    level = torch.ones(1, 5)
    given = Given({"latents": image, "level": level}, text, negative)
    assert list(denoiser.branches(EXPERT, given)) == names

    def asked(text: Tensor, **signal: Tensor) -> Tensor:
        condition: Condition = {"latents": image, **signal}
        with torch.no_grad():
            return backbone.velocity(
                backbone.transformers[EXPERT], x, torch.tensor([0.5], dtype=torch.float64), condition, text
            )

    both, none = asked(text, level=level), asked(negative, level=0 * level)
    signal, silent = asked(negative, level=level), asked(text, level=0 * level)
    s_text, s_signal = settings.guidance, settings.signal_guidance
    expected = none + s_signal * (signal - none) + s_text * (both - signal)
    if s_text == 1:
        expected = silent + s_signal * (both - silent)
    with torch.no_grad():
        torch.testing.assert_close(denoiser.velocity(0.5, x, given), expected)
