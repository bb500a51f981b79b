"""A transformer whose films stand still before any training."""

import pytest
import torch

from svi.backbones.catalogue import EXPERT
from svi.backbones.padding import masked
from svi.backbones.tiny import Codec, TinyBackbone
from svi.settings import DataSettings, TinySettings

DATA = DataSettings(height=16, width=16)
TINY = TinySettings(start="still", latent_channels=8)


def test_every_frame_is_the_image() -> None:
    nothing = torch.zeros(0)
    backbone = TinyBackbone.create(Codec(4, nothing, nothing, nothing), TINY, DATA)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(16, 8, 1, 4, 4, generator=generator).expand(16, 8, 5, 4, 4)
    noise, t = torch.randn(16, 8, 5, 4, 4, generator=generator), torch.full((16,), 0.02)
    x_t = 0.02 * image + 0.98 * noise
    text = torch.randn(16, TINY.text_tokens, TINY.text_dim, generator=generator)
    with torch.no_grad():
        v = backbone.velocity(backbone.transformers[EXPERT], x_t, t, {"latents": masked(image, 4, 1)}, text)
    assert (x_t + 0.98 * v - image).square().mean() < 0.1  # of a variance of 1


def test_too_narrow_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tiny.start=still: a token of 80 channels .* cannot hold the 80 numbers"):
        TinyBackbone.create(None, TINY.model_copy(update={"head_dim": 20}), DATA)  # type: ignore[arg-type]
