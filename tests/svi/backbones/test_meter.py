"""Forward passes, counted on the transformer itself."""

import copy

import pytest
import torch
from torch import nn

from svi.backbones.backbone import Backbone
from svi.backbones.catalogue import EXPERT
from svi.backbones.meter import Meter
from svi.backbones.tiny import TinyBackbone
from svi.backbones.wan import WanBackbone
from svi.generation.denoiser import Denoiser, Given
from svi.lora import adapter
from svi.settings import GenerateSettings, TrainSettings
from tests.svi.backbones.wans import ONE_FRAME, SETTINGS, noise_for, picture, sizes
from tests.svi.conftest import CONDITION
from tests.svi.wan_folder import KINDS, Kind, WanFolder

TOKENS = 5 * 2 * 2  # of a tiny clip: 5 x 4 x 4 latents, patches of 1 x 2 x 2


def evaluate(backbone: Backbone, model: nn.Module, batch: int) -> None:
    images = torch.zeros(batch, 16, 16, 3, dtype=torch.uint8)
    condition = backbone.condition(images[:, None], images, CONDITION)
    x, text = torch.zeros(batch, *backbone.latent_shape), backbone.encode_text(["a square"] * batch)
    backbone.velocity(model, x, torch.full((batch,), 0.5), condition, text)


def test_a_batch_is_as_many_evaluations_and_one_call(backbone: TinyBackbone) -> None:
    meter, model = Meter(), backbone.transformers[EXPERT]
    evaluate(backbone, model, 2)  # of before
    meter.watch(model)
    evaluate(backbone, model, 3)
    with torch.no_grad():
        evaluate(backbone, model, 1)
    assert (meter.calls, meter.evaluations, meter.tokens) == (2, 4, 4 * TOKENS)


def test_what_wraps_it_later_and_copies_of_it_count_once(backbone: TinyBackbone) -> None:
    meter = Meter()
    meter.watch(backbone.transformers[EXPERT])
    wrapped = adapter.adapted(backbone, TrainSettings(adapter="lora", rank=2))
    evaluate(backbone, wrapped, 2)
    evaluate(backbone, copy.deepcopy(wrapped), 5)
    assert (meter.calls, meter.evaluations, meter.tokens) == (2, 7, 7 * TOKENS)


def test_a_count_goes_on_where_it_was_saved(backbone: TinyBackbone) -> None:
    before, after, model = Meter(), Meter(), backbone.transformers[EXPERT]
    before.watch(model)
    evaluate(backbone, model, 2)
    after.load_state_dict(before.state_dict())
    after.watch(model)
    evaluate(backbone, model, 1)
    assert after.state_dict() == {"calls": 2, "evaluations": 3, "tokens": 3 * TOKENS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_of_a_real_wan_under_guidance(wan_folder: WanFolder, kind: Kind) -> None:
    """Both experts, and two branches a step: 3 latent frames of 2 x 3 patches (TI2V-5B: 1 x 2)."""
    backbone = WanBackbone.load(wan_folder(kind), SETTINGS, sizes(kind))
    denoiser, meter = Denoiser(backbone, backbone.transformers, GenerateSettings(steps=4, guidance=3.0)), Meter()
    for model in denoiser.models.values():
        meter.watch(model)
    image, text = picture(kind), backbone.encode_text(["a cat"])
    given = Given(backbone.condition(image, image[:, 0], ONE_FRAME), text, text)
    denoiser.clip(given, noise_for(backbone))
    tokens = 3 * 2 if kind == "wan2.2-ti2v" else 3 * 2 * 3
    assert meter.state_dict() == {"calls": 8, "evaluations": 8, "tokens": 8 * tokens}
