"""What is dropped of a batch: the image, or the signals, by draws of each sample's own."""

import torch

from svi.objectives.dropping import dropped
from svi.settings import ConditionSettings

SAMPLES = range(400)
CONDITION = {
    "latents": torch.ones(400, 3, 2, 1, 1),
    "image": torch.ones(400, 2, 2),
    "level": torch.ones(400, 5, dtype=torch.uint8),
}


def gone(condition: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    return condition[name].flatten(1).sum(1) == 0


def test_image_and_signal_are_dropped_apart_and_as_often_as_asked() -> None:
    settings = ConditionSettings(drop_image=0.3, drop_signal=0.2)
    found = dropped(CONDITION, settings, 0, SAMPLES)
    image, signal = gone(found, "latents"), gone(found, "level")
    assert torch.equal(gone(found, "image"), image)  # CLIP's feature goes with the latents
    assert abs(float(image.float().mean()) - 0.3) < 0.07
    assert abs(float(signal.float().mean()) - 0.2) < 0.07
    assert 0 < int((image & signal).sum()) < int(signal.sum())
    kept = ~signal
    assert torch.equal(found["level"][kept], CONDITION["level"][kept])
    assert found["level"].dtype == torch.uint8


def test_a_sample_is_dropped_whatever_batch_it_is_in() -> None:
    settings = ConditionSettings(drop_signal=0.5)
    whole = dropped(CONDITION, settings, 3, SAMPLES)
    part = dropped({name: x[100:150] for name, x in CONDITION.items()}, settings, 3, range(100, 150))
    assert torch.equal(whole["level"][100:150], part["level"])


def test_without_a_signal_nothing_is_drawn() -> None:
    condition = {"latents": CONDITION["latents"]}
    assert dropped(condition, ConditionSettings(drop_signal=1.0), 0, SAMPLES) is condition
