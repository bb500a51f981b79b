"""The image condition: what is known, then padding, and the mask before both."""

import pytest
import torch

from svi.backbones.padding import masked, padded
from svi.settings import ConditionSettings


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        ("zeros", [1, 2, 0, 0, 0]),
        ("repeat", [1, 2, 2, 2, 2]),
        ("reference", [1, 2, 9, 9, 9]),
        (2, [1, 2, 9, 9, 0]),
        (7, [1, 2, 9, 9, 9]),
    ],
)
def test_the_condition_is_motion_frames_then_padding(padding: str | int, expected: list[int]) -> None:
    motion = torch.tensor([1.0, 2.0]).reshape(1, 1, 2, 1, 1).expand(1, 3, 2, 2, 2)
    reference = torch.full((1, 3, 1, 2, 2), 9.0)
    settings = ConditionSettings(motion_frames=2, padding=padding)
    condition = masked(padded(motion, reference, settings, 5), 4, 1)
    assert condition.shape == (1, 7, 5, 2, 2)
    assert (
        condition[0, :4, :, 0, 0].tolist() == [[1, 0, 0, 0, 0]] * 4
    )  # the mask is 1 on frame 0 only, with two motion frames too
    assert condition[0, 4, :, 0, 0].tolist() == expected


def test_an_anchor_comes_before_the_motion_frames() -> None:
    motion, reference = torch.ones(1, 3, 2, 2, 2), torch.full((1, 3, 1, 2, 2), 9.0)
    settings = ConditionSettings(motion_frames=2, padding="zeros", anchor=True)
    assert padded(motion, reference, settings, 5)[0, 0, :, 0, 0].tolist() == [9, 1, 1, 0, 0]


def test_more_than_a_clip_is_refused() -> None:
    motion, reference = torch.ones(1, 3, 5, 2, 2), torch.ones(1, 3, 1, 2, 2)
    assert padded(motion, reference, ConditionSettings(padding="zeros"), 5).shape[2] == 5
    with pytest.raises(ValueError, match="a condition of 6 frames does not fit into a clip of 5"):
        padded(motion, reference, ConditionSettings(padding="zeros", anchor=True), 5)
