"""The embedded backbone: codec, text and velocity of a real WanTransformer3DModel."""

from pathlib import Path

import numpy as np
import pytest
import torch

from svi.backbones.tiny import TinyBackbone
from svi.data.cache import LatentCache
from svi.data.footage import WorldFootage
from tests.svi.conftest import BACKBONE, DATA


def world_frames() -> torch.Tensor:
    footage = WorldFootage(DATA)
    return torch.from_numpy(np.stack([footage.read(i).frames for i in range(len(footage))]))


def test_the_codec_keeps_most_of_a_frame_and_all_of_its_own(backbone: TinyBackbone) -> None:
    frames = world_frames()
    latents = backbone.encode(frames)
    assert latents.shape == (24, 8, 5, 4, 4)
    assert float(latents.std()) == pytest.approx(1, abs=0.05)
    decoded = backbone.decode(latents)
    mse = float((decoded.float() - frames.float()).div(255).square().mean())
    assert -10 * np.log10(mse) > 24
    torch.testing.assert_close(backbone.encode(decoded), latents, atol=0.3, rtol=0)


def test_more_channels_are_exact() -> None:
    frames = world_frames().flatten(0, 1)
    from svi.backbones.tiny import Codec

    codec = Codec.fit(frames, 4, 48)
    assert (codec.decode(codec.encode(frames[None])) == frames[None]).all()


def test_words_are_fixed_vectors_at_their_place(backbone: TinyBackbone) -> None:
    text = backbone.encode_text(["red disc", "disc red", "Red disc", "a b c d e f g h"])
    assert text.shape == (4, BACKBONE.text_tokens, BACKBONE.text_dim)
    assert torch.equal(text[0], text[2])
    assert not torch.equal(text[0, 0], text[1, 1])
    assert (text[0, 2:] == 0).all()


def test_of_phrases_every_word_carries_the_first(backbone: TinyBackbone, tmp_path: Path) -> None:
    backbone.save(tmp_path)
    settings = BACKBONE.model_copy(update={"text": "phrases"})
    phrases = TinyBackbone.load(tmp_path, settings, DATA)
    words = backbone.encode_text(["ring east, ball east, beach", "ball east, ring east, beach"])
    first, second = phrases.encode_text(["ring east, ball east, beach", "ball east, ring east, beach"])
    added = first - words[0]
    assert torch.allclose(added[0], added[1])
    assert torch.allclose(added[2], added[3])
    assert not torch.allclose(added[0], added[2])
    assert torch.allclose(added[:2], (second - words[1])[2:4], atol=1e-6)
    assert (added.norm(dim=1)[:5] > 1).all()


def test_save_and_load(backbone: TinyBackbone, cache: LatentCache, tmp_path: Path) -> None:
    backbone.save(tmp_path)
    twin = TinyBackbone.load(tmp_path, BACKBONE, DATA)
    x, t = torch.randn(2, *backbone.latent_shape), torch.tensor([0.2, 0.9])
    batch = cache.batch([0, 1], [False, False], [0, 0])
    with torch.no_grad():
        pair = [
            b.velocity(b.transformers["transformer"].eval(), x, t, batch.condition, batch.text)
            for b in (backbone, twin)
        ]
    assert torch.equal(*pair)
    assert pair[0].shape == x.shape


def test_a_time_for_each_frame_is_the_models_own(backbone: TinyBackbone, cache: LatentCache) -> None:
    """Equal times are one time; another time of one frame changes what the model says."""
    model = backbone.transformers["transformer"].eval()
    batch = cache.batch([0, 1], [False, False], [0, 0])
    x, t = torch.randn(2, *backbone.latent_shape), torch.tensor([0.2, 0.9])
    each = t[:, None].repeat(1, backbone.latent_shape[1])
    with torch.no_grad():
        one, same = (backbone.velocity(model, x, times, batch.condition, batch.text) for times in (t, each))
        each[:, 2] = 0.5
        other = backbone.velocity(model, x, each, batch.condition, batch.text)
    torch.testing.assert_close(one, same, atol=1e-5, rtol=0)
    assert float((other - one)[:, :, 2].abs().max()) > 1e-3
