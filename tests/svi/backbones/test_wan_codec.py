"""The codec that loses something: a real AutoencoderKLWan, and the embedded backbone with it."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan
from torch import Tensor

from svi.artifacts import VAE
from svi.backbones.catalogue import EXPERT
from svi.backbones.tiny import TinyBackbone
from svi.backbones.wan_codec import TrainedCodec, WanCodec
from svi.backbones.wan_vae import pixels
from svi.data.footage import WorldFootage
from svi.method.draws import keyed
from svi.objectives.reconstruction import Reconstruction
from svi.settings import ConditionSettings, DataSettings, TinySettings, TrainSettings
from svi.training.loop import train

DATA = DataSettings(world="lanes", height=32, width=32, clips=8)
TINY = TinySettings(codec="wan", codec_width=4, text_tokens=7, layers=1, heads=2, head_dim=12, ffn_dim=32)


@pytest.fixture(scope="module")
def clips() -> Tensor:
    """[8, 5, 32, 32, 3]"""
    footage = WorldFootage(DATA)
    return torch.stack([torch.from_numpy(footage.read(i).frames) for i in range(len(footage))])


@pytest.fixture
def codec(clips: Tensor) -> WanCodec:
    made = WanCodec(TrainedCodec(TINY).vae)
    made.standardise(clips)
    return made


def test_latents_are_standardised_and_four_frames_are_one(codec: WanCodec, clips: Tensor) -> None:
    latents = codec.encode(clips)
    assert latents.shape == (8, 8, 2, 8, 8)
    assert torch.allclose(latents.mean((0, 2, 3, 4)), torch.zeros(8), atol=1e-4)
    assert torch.allclose(latents.std((0, 2, 3, 4)), torch.ones(8), atol=1e-4)
    assert torch.equal(codec.encode(clips[:, :1]), latents[:, :, :1])  # causal: an image is a clip of one frame
    assert codec.decode(latents).shape == clips.shape


def test_each_frame_may_be_encoded_alone(clips: Tensor) -> None:
    codec = WanCodec(TrainedCodec(TINY.model_copy(update={"codec_frames": 1})).vae)
    codec.standardise(clips)
    latents, films = codec.encode(clips), codec.decode(codec.encode(clips))
    assert latents.shape == (8, 8, 5, 8, 8)
    assert films.shape == clips.shape
    for frame in range(5):
        alone = codec.encode(clips[:, frame : frame + 1])
        assert torch.allclose(alone[:, :, 0], latents[:, :, frame], atol=1e-5)
        assert (codec.decode(alone)[:, 0].int() - films[:, frame].int()).abs().max() <= 1


def test_a_frame_alone_is_what_diffusers_makes_of_it(clips: Tensor, tmp_path: Path) -> None:
    codec = WanCodec(TrainedCodec(TINY.model_copy(update={"codec_frames": 1})).vae)
    codec.save(tmp_path)
    theirs = AutoencoderKLWan.from_pretrained(tmp_path / VAE)
    with torch.no_grad():
        latents = theirs.encode(pixels(clips[:, 2:3])).latent_dist.mode()
        frame = theirs.decode(latents).sample
    assert torch.allclose(codec.encode(clips[:, 2:3]), latents, atol=1e-5)
    assert torch.allclose(codec.vae.decode(latents).sample, frame, atol=1e-5)


def test_it_is_the_same_again_from_its_files(codec: WanCodec, clips: Tensor, tmp_path: Path) -> None:
    codec.save(tmp_path)
    again = WanCodec.load(tmp_path)
    assert torch.equal(again.encode(clips[:2]), codec.encode(clips[:2]))


def test_training_lowers_its_error_first_on_frames_then_on_clips(clips: Tensor, tmp_path: Path) -> None:
    model, seen = TrainedCodec(TINY), []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[1]))
    with torch.no_grad():
        before = float(model(clips, keyed("test")))
    settings = TrainSettings(steps=16, batch=4, lr=4e-3, schedule="cosine", adapter="full", log_every=4)
    trained = train(model, Reconstruction(clips, 8, seed=0), settings, tmp_path, lambda done, total: None)
    assert seen == [5, *[1] * 8, *[5] * 8]
    with torch.no_grad():
        assert float(trained(clips, keyed("test"))) < 0.8 * before


def test_the_backbone_works_on_its_latents(codec: WanCodec, clips: Tensor, tmp_path: Path) -> None:
    backbone = TinyBackbone.create(codec, TINY, DATA)
    assert backbone.latent_shape == (8, 2, 8, 8)
    assert [backbone.latent_frames(n) for n in (1, 4, 5)] == [1, 1, 2]
    condition = backbone.condition(clips[:2, -1:], clips[:2, 0], ConditionSettings(motion_frames=1, padding="repeat"))
    assert condition["latents"].shape == (2, 12, 2, 8, 8)
    assert torch.equal(condition["latents"][:, 4:, 0], condition["latents"][:, 4:, 1])
    text = backbone.encode_text(["a b c d e f g", "h"])
    velocity = backbone.velocity(
        backbone.transformers[EXPERT], torch.randn(2, 8, 2, 8, 8), torch.tensor([0.2, 0.7]), condition, text
    )
    assert velocity.shape == (2, 8, 2, 8, 8)
    backbone.save(tmp_path)
    again = TinyBackbone.load(tmp_path, TINY, DATA)
    assert torch.equal(again.encode(clips[:1]), backbone.encode(clips[:1]))
