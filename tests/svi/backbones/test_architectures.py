"""The published models' architectures, built on no device, against what is published of their sizes."""

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel

from svi.backbones.architectures import ARCHITECTURES
from svi.backbones.catalogue import MODELS


def count(make: Any, keywords: Any) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in make(**keywords).parameters())


@pytest.mark.parametrize("name", ["wan2.1-i2v-14b-480p", "wan2.2-i2v-a14b", "wan2.2-ti2v-5b"])
def test_parameters_are_as_many_as_published(name: str) -> None:
    published, built = MODELS[name], ARCHITECTURES[name]
    transformers = count(WanTransformer3DModel, built.transformer) * len(published.geometry.experts)
    assert transformers / 1e9 == pytest.approx(published.parameters, abs=0.06)
    vae = count(AutoencoderKLWan, built.vae)
    assert vae / 1e6 == pytest.approx(704.7 if published.geometry.z_dim == 48 else 126.9, rel=0.01)
    assert (built.image is not None) == (published.geometry.image_dim is not None)


def test_every_published_model_is_there() -> None:
    assert set(ARCHITECTURES) == set(MODELS)
