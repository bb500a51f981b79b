"""Partitions of a window: every place is somebody's, and the diagonal closes on itself."""

import pytest
import torch

from svi.axes import StreamSettings
from svi.method.partition import Partition


@pytest.mark.parametrize(
    ("clip", "latents", "chunk", "expected"),
    [
        (5, 5, 1, (0, 0, 5, 1)),
        (5, 5, 2, (0, 1, 2, 2)),
        (81, 21, 1, (1, 0, 20, 1)),
        (81, 21, 3, (1, 2, 6, 3)),
        (81, 21, 10, (1, 0, 2, 10)),
    ],
)
def test_every_place_of_a_window_is_somebodys(
    clip: int, latents: int, chunk: int, expected: tuple[int, int, int, int]
) -> None:
    part = Partition.of(clip, latents, chunk)
    assert (part.lead, part.reference, part.chunks, part.chunk) == expected
    assert part.lead + part.reference + part.buffer == len(part.times(0.3)) == latents


@pytest.mark.parametrize(("clip", "latents", "chunk"), [(5, 5, 1), (5, 5, 2), (21, 6, 2), (81, 21, 3)])
def test_the_diagonal_closes_on_itself(clip: int, latents: int, chunk: int) -> None:
    """Where u has fallen to 0 the oldest chunk is clean, and the others are where their elders were at u = 1."""
    part = Partition.of(clip, latents, chunk)
    begin, end = part.times(1.0), part.times(0.0)
    before = part.lead + part.reference
    assert (begin[: part.lead] == 0).all()
    assert (begin[part.lead : before] == 1).all()
    assert (end[before : before + chunk] == 1).all()
    assert torch.equal(begin[before:-chunk], end[before + chunk :])
    assert (begin[-chunk:] == 0).all()
    torch.testing.assert_close(end[before:] - begin[before:], torch.full((part.buffer,), 1 / part.chunks).double())


@pytest.mark.parametrize(("clip", "latents", "most"), [(5, 5, 2), (81, 21, 10)])
def test_a_buffer_of_one_chunk_is_refused(clip: int, latents: int, most: int) -> None:
    StreamSettings(chunk=most).check_chunk(clip, latents)
    assert Partition.of(clip, latents, most).chunks == 2
    with pytest.raises(ValueError, match=rf"stream.chunk is {most + 1}; .* set at most {most}"):
        StreamSettings(chunk=most + 1).check_chunk(clip, latents)
