"""A packed past: where each frame is, at which size, and what is not there."""

import pytest
import torch

from svi.method.packing import PAST, packed


def test_every_frame_has_its_place_and_size() -> None:
    """16 at a quarter of the side, then 4 at half, in rows from the oldest: constant frames are constant tiles."""
    past = torch.arange(1.0, PAST + 1).reshape(1, 1, PAST, 1, 1).expand(1, 3, PAST, 8, 16)
    quarter, half = packed(past).unbind(2)
    assert torch.equal(quarter[0, 0, ::2, ::4], torch.arange(1.0, 17).reshape(4, 4))
    assert torch.equal(half[0, 2, ::4, ::8], torch.arange(17.0, 21).reshape(2, 2))
    assert torch.equal(quarter[0, 0], quarter[0, 0, ::2, ::4].repeat_interleave(2, 0).repeat_interleave(4, 1))


def test_a_tile_is_the_frame_made_small() -> None:
    past = torch.randn(2, 3, PAST, 8, 8, generator=torch.Generator().manual_seed(0))
    half = packed(past)[:, :, 1]
    newest = past[:, :, -1].reshape(2, 3, 4, 2, 4, 2).mean((3, 5))
    torch.testing.assert_close(half[:, :, 4:, 4:], newest)


def test_a_longer_past_is_cut_and_a_shorter_one_begins_with_nothing() -> None:
    past = torch.randn(1, 2, PAST + 7, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(packed(past), packed(past[:, :, 7:]))
    short = packed(past[:, :, :3])
    assert not short[:, :, 0].any()
    assert not short[:, :, 1, :2, :2].any()
    assert short[:, :, 1, 2:].all()
    assert not packed(past[:, :, :0]).any()


def test_what_is_left_over_of_a_side_is_cut() -> None:
    """As 90 latents at 720 pixels: 22 for each of 4, and 2 that show nothing."""
    past = torch.ones(1, 1, PAST, 6, 9)
    quarter, half = packed(past)[0, 0]
    assert quarter.sum() == quarter[:4, :8].sum() == 32
    assert half.sum() == half[:6, :8].sum() == 48


def test_sides_that_no_quarter_has_are_refused() -> None:
    with pytest.raises(ValueError, match=r"latents of 2 x 4: .* set data.height and data.width larger"):
        packed(torch.zeros(1, 1, 1, 2, 4))
