"""What each memory keeps, while a film of 40 frames goes by in blocks of 3."""

from collections.abc import Iterator

import pytest
import torch

from svi.memory.ema import Ema
from svi.memory.half import Half
from svi.memory.memory import Frame, Memory
from svi.memory.sink import Sink
from svi.memory.sparse import Sparse
from svi.memory.window import Window

MEMORIES: dict[Memory, int] = {
    Window(5): 5,
    Window(0): 0,
    Sink(1, 4): 5,
    Sink(3, 0): 3,
    Half(5): 5,
    Ema(2, 4): 6,
    Ema(0, 4): 4,
    Sparse(4, every=5, older=3): 7,
    Sparse(0, every=4, older=2): 2,
}


def frame(index: int, dtype: torch.dtype = torch.float32) -> Frame:
    """Its keys are its index at every layer, its values the same below zero."""
    key = torch.full((1, 2, 1, 4), float(index), dtype=dtype)
    return Frame(index, (key, key + 100), (-key, -key - 100))


def film(memory: Memory, frames: int = 40, block: int = 3, dtype: torch.dtype = torch.float32) -> Iterator[list[Frame]]:
    """What is kept after each block."""
    kept: list[Frame] = []
    for begin in range(0, frames, block):
        kept = memory.keep([*kept, *(frame(index, dtype) for index in range(begin, begin + block))])
        yield kept


def indices(frames: list[Frame]) -> list[int]:
    return [one.index for one in frames]


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
def test_memory_is_bounded_and_in_order(memory: Memory) -> None:
    kept = [indices(frames) for frames in film(memory)]
    assert max(map(len, kept)) == MEMORIES[memory]
    assert len(kept[-1]) == MEMORIES[memory]
    assert all(frames == sorted(set(frames)) for frames in kept)


@pytest.mark.parametrize("memory", MEMORIES, ids=str)
def test_all_is_kept_while_there_is_room(memory: Memory) -> None:
    """Sparse thins its past from the beginning."""
    if not isinstance(memory, Sparse):
        room = MEMORIES[memory]
        assert indices(memory.keep([frame(i) for i in range(room)])) == list(range(room))
    assert memory.keep([]) == []


def test_a_window_slides() -> None:
    assert [indices(kept) for kept in film(Window(5), 12)] == [
        [0, 1, 2],
        [1, 2, 3, 4, 5],
        [4, 5, 6, 7, 8],
        [7, 8, 9, 10, 11],
    ]


def test_a_sink_keeps_the_beginning() -> None:
    *_, kept = film(Sink(2, 3))
    assert indices(kept) == [0, 1, 39, 40, 41]


@pytest.mark.parametrize(("frames", "first"), [(4, [0, 1, 40, 41]), (5, [0, 1, 39, 40, 41]), (0, []), (1, [41])])
def test_half_is_a_sink_of_half_the_memory(frames: int, first: list[int]) -> None:
    *_, kept = film(Half(frames))
    assert indices(kept) == first


def test_sparse_keeps_every_few_of_the_older_ones() -> None:
    *_, kept = film(Sparse(3, every=10, older=2))
    assert indices(kept) == [20, 30, 39, 40, 41]


def test_ema_is_the_moving_average_of_what_left() -> None:
    """Frame 0 takes in the even ones, frame 1 the odd ones, in the order in which they leave; the window stays as it is."""
    decay = 0.9
    *_, kept = film(Ema(2, 4, decay))
    assert indices(kept) == [0, 1, 38, 39, 40, 41]
    for begin in (0, 1):
        wanted = float(begin)
        for index in range(begin + 2, 38, 2):
            wanted = decay * wanted + (1 - decay) * index
        for layer, offset in enumerate((0, 100)):
            torch.testing.assert_close(kept[begin].keys[layer], torch.full((1, 2, 1, 4), wanted + offset))
            torch.testing.assert_close(kept[begin].values[layer], torch.full((1, 2, 1, 4), -wanted - offset))
    assert torch.equal(kept[-1].keys[0], frame(41).keys[0])


def test_ema_that_never_forgets_is_a_sink_and_one_that_forgets_all_holds_what_left_last() -> None:
    *_, kept = film(Ema(2, 4, decay=1))
    assert [float(one.keys[0][0, 0, 0, 0]) for one in kept] == [0, 1, 38, 39, 40, 41]
    *_, kept = film(Ema(2, 4, decay=0))
    assert [float(one.keys[0][0, 0, 0, 0]) for one in kept] == [36, 37, 38, 39, 40, 41]


def test_ema_does_not_lose_small_shares_in_bfloat16() -> None:
    """Steps of a thousandth are less than half of bfloat16's spacing."""
    *_, kept = film(Ema(1, 0, decay=0.999), frames=120, dtype=torch.bfloat16)
    *_, exact = film(Ema(1, 0, decay=0.999), frames=120)
    torch.testing.assert_close(kept[0].keys[0], exact[0].keys[0], rtol=1e-2, atol=0)
    assert float(exact[0].keys[0].max()) > 5


def test_memories_refuse_what_is_not_a_number_of_frames() -> None:
    for wrong in (
        lambda: Window(-1),
        lambda: Sink(-1, 2),
        lambda: Sink(1, -2),
        lambda: Half(-1),
        lambda: Ema(-1, 2),
        lambda: Sparse(1, 2, -1),
    ):
        with pytest.raises(ValueError, match="expected 0 frames or more"):
            wrong()
    with pytest.raises(ValueError, match="every of a memory: received 0"):
        Sparse(1, 0, 1)
    with pytest.raises(ValueError, match="decay of a memory"):
        Ema(1, 1, 1.5)
