"""StreamingT2V-style films: the start image reaches every clip through the text, and is in no condition."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.backbones.wan import WanBackbone
from svi.generation.anchor_tokens import AnchorTokens
from svi.generation.denoiser import Given
from svi.generation.generator import Generator
from svi.method.anchor_tokens import TOKENS, anchor_tokens
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi import films
from tests.svi.films import SETTINGS, quiet, scripts, sections, whole_and_stopped
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder


def maker(guidance: float = 1.0) -> Generator:
    return films.maker(SETTINGS.model_copy(update={"guidance": guidance}), loop=AnchorTokens)


def test_every_clip_is_told_of_the_start_image_in_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its own prompt and the negative one; its condition is the clip loop's, of its last frame alone."""
    generator, given = maker(guidance=2.0), []
    made, story, past = generator.denoiser.clip, scripts(3), None

    def spy(one: Given, x: Tensor) -> Tensor:
        given.append(one)
        return made(one, x)

    monkeypatch.setattr(generator.denoiser, "clip", spy)
    generator.encode([prompt for script in story for prompt in script.prompts])
    made_of = generator.films_of(story)
    image = generator.backbone.encode(made_of.images[:, None])
    tokens = anchor_tokens(image[:, :, 0], made_of.negative.shape[2])
    for clip in range(3):
        _, past = generator.loop.next(made_of, clip, past)
        assert torch.equal(given[clip].text, torch.cat([tokens, made_of.text(clip)], dim=1))
        assert torch.equal(given[clip].negative, torch.cat([tokens, made_of.negative], dim=1))
    assert not torch.equal(given[2].condition["latents"][:, 4:, :1], image)


def test_another_start_image_is_another_later_clip() -> None:
    """With the same frames handed on: the anchor alone tells them apart; in the plain clip loop nothing does."""
    for loop, reaches in ((AnchorTokens, True), (films.ClipLoop, False)):
        generator, story = films.maker(loop=loop), scripts(2)
        generator.encode([prompt for script in story for prompt in script.prompts])
        made = generator.films_of(story)
        _, past = generator.loop.next(made, 0, None)
        one, _ = generator.loop.next(made, 1, past)
        made.images = 255 - made.images
        other, _ = generator.loop.next(made, 1, past)
        assert np.array_equal(one, other) != reaches


def test_the_probe_perturbs_the_condition_alone() -> None:
    generator, story = maker(), scripts(1)
    generator.encode([prompt for script in story for prompt in script.prompts])
    made, loop = generator.films_of(story), generator.loop
    assert isinstance(loop, AnchorTokens)
    clean = loop.first(made, torch.zeros(2, 8, 4, 4))
    assert clean.given is not None
    assert np.array_equal(generator.denoiser.decode(clean.made[:, :, None])[:, 0], loop.next(made, 0, None)[0][:, 0])
    assert not torch.equal(clean.made, loop.first(made, torch.full((2, 8, 4, 4), 0.3)).made)


def test_stopped_after_every_clip_and_resumed_is_identical(tmp_path: Path) -> None:
    whole, cut = whole_and_stopped(maker, scripts(4), 17, tmp_path)
    assert np.array_equal(whole, cut)


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_films_of_wan(tmp_path: Path, wan_folder: WanFolder, kind: Kind) -> None:
    """Two clips that share five frames, guided."""
    data = DataSettings(height=32, width=32, clip_frames=13)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    read = sections(SETTINGS.model_copy(update={"guidance": 3.0}), ConditionSettings(motion_frames=5))
    Generator(backbone, backbone.transformers, read, AnchorTokens).films(scripts(2, 1, data), 21, 8, tmp_path, quiet)
    film = np.load(tmp_path / "frames.npy")[0]
    assert film.shape == (21, 32, 32, 3)
    assert (np.abs(np.diff(film.astype(int), axis=0)).max(axis=(1, 2, 3)) > 0).all()


def test_wan_takes_the_tokens_beside_its_own_image_feature(wan_folder: WanFolder) -> None:
    """Wan 2.1 tells text from image by counting 512 tokens from the end: what stands before them goes the image's way."""
    data = DataSettings(height=32, width=32, clip_frames=13)
    backbone = WanBackbone.load(wan_folder("wan2.1-i2v"), BackboneSettings(name="folder", text_tokens=512), data)
    image = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    condition = backbone.condition(image[:, None], image, ConditionSettings(motion_frames=1))
    x, text = torch.zeros(1, *backbone.latent_shape), backbone.encode_text(["a cat"])
    seen: list[tuple[int, int]] = []
    attention = backbone.transformers["transformer"].blocks[0].attn2  # type: ignore[union-attr,index]
    attention.add_k_proj.register_forward_hook(lambda _, given, out: seen.append((given[0].shape[1], 0)))  # type: ignore[union-attr]
    attention.to_k.register_forward_hook(lambda _, given, out: seen.append((0, given[0].shape[1])))  # type: ignore[union-attr]
    for context in (text, torch.cat([torch.zeros(1, TOKENS, text.shape[2]), text], dim=1)):
        with torch.no_grad():
            backbone.velocity(backbone.transformers["transformer"], x, torch.tensor([0.5]), condition, context)
    image_tokens = [max(a for a, _ in seen[i : i + 2]) for i in (0, 2)]
    text_tokens = [max(b for _, b in seen[i : i + 2]) for i in (0, 2)]
    assert text_tokens == [512, 512]
    assert image_tokens[1] == image_tokens[0] + TOKENS
