"""The bank: replacement, draws, both ways to store errors, and the search by sketches."""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from svi.bank.bank import SMALL, ErrorBank, layout_of
from svi.bank.sketch import Sketcher
from svi.data.footage import WorldFootage
from svi.error_settings import BankSettings
from svi.method.recycle import interpolate
from svi.settings import DataSettings
from tests.svi.conftest import BACKBONE, CONDITION, make_backbone

SHAPE = (2, 3, 1, 1)
LARGE = (4, 9, 64, 64)  # a slot of some dozens is too large to compare all


def filled(folder: str, replacement: str, capacity: int, seed: int, n: int) -> tuple[ErrorBank, torch.Generator]:
    bank = ErrorBank(3, SHAPE, BankSettings(capacity=capacity, replacement=replacement), Path(folder))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        bank.add(1, torch.randn(1, *SHAPE, generator=generator), 0.25, generator)
    return bank, generator


class Lists:
    """The bank said plainly: a list a slot."""

    def __init__(self, slots: int, capacity: int, replacement: str) -> None:
        self.slots: list[list[Tensor]] = [[] for _ in range(slots)]
        self.oldest = [0] * slots
        self.capacity, self.replacement = capacity, replacement

    def add(self, slot: int, entry: Tensor, generator: torch.Generator) -> int:
        held = self.slots[slot]
        if len(held) < self.capacity:
            held.append(entry)
            position = len(held) - 1
        elif self.replacement == "l2":
            position = min(range(len(held)), key=lambda i: float((held[i] - entry).square().sum()))
        elif self.replacement == "random":
            position = int(torch.randint(len(held), (), generator=generator))
        else:
            position = self.oldest[slot]
        held[position] = entry
        self.oldest[slot] = (position + 1) % self.capacity
        return position

    def sample(self, slot: int, generator: torch.Generator) -> Tensor | None:
        held = self.slots[slot]
        return held[int(torch.randint(len(held), (), generator=generator))] if held else None

    def sample_any(self, generator: torch.Generator) -> Tensor | None:
        filled = [i for i, held in enumerate(self.slots) if held]
        if not filled:
            return None
        return self.sample(filled[int(torch.randint(len(filled), (), generator=generator))], generator)


STEPS = st.lists(st.tuples(st.sampled_from(["add", "sample", "any", "checkpoint"]), st.integers(0, 2)), max_size=60)


@given(st.sampled_from(["l2", "random", "fifo"]), st.integers(1, 4), STEPS, st.integers(0, 2**31))
@settings(max_examples=60)
def test_it_behaves_as_plain_lists_do(replacement: str, capacity: int, steps: list[tuple[str, int]], seed: int) -> None:
    entries = torch.Generator().manual_seed(seed)
    ours, theirs = (torch.Generator().manual_seed(seed + 1) for _ in range(2))
    lists = Lists(3, capacity, replacement)
    with tempfile.TemporaryDirectory() as folder:
        bank, _ = filled(folder, replacement, capacity, seed, 0)
        for what, slot in steps:
            if what == "add":
                entry = torch.randn(1, *SHAPE, generator=entries)
                assert bank.add(slot, entry, 0.0, ours) == lists.add(slot, entry, theirs)
            elif what == "checkpoint":
                bank.state_dict()
                bank.settle()
            else:
                found = bank.sample(slot, ours) if what == "sample" else bank.sample_any(ours)
                expected = lists.sample(slot, theirs) if what == "sample" else lists.sample_any(theirs)
                assert (found is None) == (expected is None)
                if found is not None and expected is not None:
                    assert torch.equal(found.vid, expected[0])  # t = 0: E_vid is r itself
        for slot, held in enumerate(lists.slots):
            assert torch.equal(bank.entries(slot), torch.stack(held) if held else torch.empty(0, 1, *SHAPE))
        assert bank.fill == sum(map(len, lists.slots)) / (3 * capacity)


@pytest.mark.parametrize("both", [False, True])
def test_two_lists_give_up_entries_of_their_own(tmp_path: Path, both: bool) -> None:
    """Each as a plain list of its error by its own L2 distance; over a slot's range of t they soon differ."""
    bank = ErrorBank(2, SHAPE, BankSettings(capacity=4, lists=2), tmp_path, both=both)
    generator = torch.Generator().manual_seed(0)
    vid, noi, victims = Lists(2, 4, "l2"), Lists(2, 4, "l2"), 0
    for _ in range(40):
        t = 0.85 + 0.15 * float(torch.rand((), generator=generator))
        entry = torch.randn(2 if both else 1, *SHAPE, generator=generator)
        errors = (entry[0], entry[1]) if both else ((1 - t) * entry[0], -t * entry[0])
        places = [held.add(1, error[None], generator) for held, error in zip((vid, noi), errors, strict=True)]
        assert bank.add(1, entry, t, generator) == places[0]
        victims += places[0] != places[1]
    assert victims > 5
    torch.testing.assert_close(bank.entries(1), torch.stack(vid.slots[1]))
    torch.testing.assert_close(bank.entries(3), torch.stack(noi.slots[1]))
    assert bank.count.tolist() == [0, 4]
    assert bank.fill == 0.5
    for evenly_over in ("slots", "entries"):
        found = bank.sample_any(generator, evenly_over)
        assert found is not None
        place = next(i for i, one in enumerate(bank.entries(1)) if torch.equal(one[0], found.vid))
        assert torch.equal(found.noi, bank.entries(3)[place, 0])


def test_two_lists_are_restored_as_they_were(tmp_path: Path) -> None:
    bank = ErrorBank(1, SHAPE, BankSettings(capacity=2, lists=2), tmp_path)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        bank.add(0, torch.randn(1, *SHAPE, generator=generator), 0.5, generator)
    state, kept = bank.state_dict(), [bank.entries(slot) for slot in (0, 1)]
    bank.add(0, torch.zeros(1, *SHAPE), 0.5, generator)
    bank.load_state_dict(state)
    assert all(torch.equal(bank.entries(slot), entries) for slot, entries in enumerate(kept))


def test_an_image_error_is_drawn_evenly_over_slots_or_over_entries(tmp_path: Path) -> None:
    """Slot 1 has one entry, slot 2 has nine."""
    bank = ErrorBank(4, (1, 1, 1, 1), BankSettings(capacity=9), tmp_path)
    generator = torch.Generator().manual_seed(0)
    for value in range(10):
        bank.add(1 if value == 0 else 2, torch.full((1, 1, 1, 1, 1), float(value)), 0.0, generator)
    shares = {}
    for evenly_over in ("slots", "entries"):
        drawn = [bank.sample_any(generator, evenly_over) for _ in range(1000)]
        counts = torch.bincount(torch.tensor([int(one.vid) for one in drawn if one]), minlength=10) / 1000
        shares[evenly_over] = counts
    assert abs(float(shares["slots"][0]) - 0.5) < 0.06
    assert (shares["entries"] - 0.1).abs().max() < 0.04


@pytest.mark.parametrize("evenly_over", ["slots", "entries"])
def test_what_is_allowed_is_drawn_as_from_a_bank_that_holds_nothing_else(tmp_path: Path, evenly_over: str) -> None:
    """The third of slot 1's entries, and the last two of slot 2's; a position that is still empty is never drawn."""
    bank = ErrorBank(4, (1, 1, 1, 1), BankSettings(capacity=9), tmp_path)
    generator = torch.Generator().manual_seed(0)
    for value in range(12):
        bank.add(1 if value < 5 else 2, torch.full((1, 1, 1, 1, 1), float(value)), 0.0, generator)
    allowed = np.zeros((4, 9), bool)
    allowed[1, 2] = allowed[2, 5:] = allowed[3] = True
    drawn = [bank.sample_any(generator, evenly_over, allowed) for _ in range(900)]  # type: ignore[arg-type]
    shares = torch.bincount(torch.tensor([int(one.vid) for one in drawn if one]), minlength=12) / 900
    assert shares.nonzero().flatten().tolist() == [2, 10, 11]
    assert float(shares[2]) == pytest.approx(1 / 2 if evenly_over == "slots" else 1 / 3, abs=0.05)
    assert bank.sample_any(generator, evenly_over, np.zeros((4, 9), bool)) is None  # type: ignore[arg-type]
    twins = [torch.Generator().manual_seed(1) for _ in range(2)]
    everything = np.ones((4, 9), bool)
    for _ in range(20):
        one, other = bank.sample_any(twins[0], evenly_over), bank.sample_any(twins[1], evenly_over, everything)  # type: ignore[arg-type]
        assert one is not None
        assert other is not None
        assert torch.equal(one.vid, other.vid)


def test_a_residual_represents_both_errors(tmp_path: Path) -> None:
    bank, generator = filled(str(tmp_path), "l2", 4, 0, 1)
    r = bank.entries(1)[0, 0]
    errors = bank.sample(1, generator)
    assert errors is not None
    torch.testing.assert_close(errors.vid, 0.75 * r)
    torch.testing.assert_close(errors.noi, -0.25 * r)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_clean_truth_stores_both_errors(tmp_path: Path, dtype: str) -> None:
    bank = ErrorBank(2, SHAPE, BankSettings(capacity=1, dtype=dtype), tmp_path, both=True)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    entry = torch.randn(2, *SHAPE)
    bank.add(0, entry, 0.4, generator)
    errors = bank.sample(0, generator)
    assert errors is not None
    bank.add(0, torch.zeros(2, *SHAPE), 0.4, generator)  # what was drawn is a copy
    expected = entry if dtype == "float32" else entry.bfloat16().float()
    assert torch.equal(torch.stack(list(errors)), expected)
    assert errors.vid.dtype == torch.float32


def test_bfloat16_halves_the_file_and_distances_are_those_of_what_is_stored(tmp_path: Path) -> None:
    bank = ErrorBank(1, (1, 1, 1, 1), BankSettings(capacity=2, dtype="bfloat16"), tmp_path)
    assert bank.file.layout.entry_bytes == 2
    generator = torch.Generator()
    for value in (1.0, 1.03):
        bank.add(0, torch.full((1, 1, 1, 1, 1), value), 0.0, generator)
    assert bank.entries(0).flatten().tolist() == [1.0, 1.03125]
    assert bank.add(0, torch.full((1, 1, 1, 1, 1), 1.0155), 0.0, generator) == 0  # stored as 1.015625, as near to both


class Pool:
    """A full slot of large errors, and what adds to it should do."""

    def __init__(self, folder: Path, stream: Iterator[Tensor], shape: tuple[int, ...], dtype: str = "bfloat16") -> None:
        size = math.prod(shape) * (2 if dtype == "bfloat16" else 4)
        settings = BankSettings(capacity=SMALL // size + 1, dtype=dtype)  # type: ignore[arg-type]
        self.bank = ErrorBank(1, shape, settings, folder)
        assert self.bank.sketcher is not None
        self.stream, self.generator, self.dtype = stream, torch.Generator(), dtype
        for _ in range(settings.capacity):
            self.bank.add(0, next(stream)[None], 0.5, self.generator)
        self.held = self.bank.entries(0).flatten(1)

    def add(self) -> bool:
        """Add one; whether it replaced the one that is nearest by exact distance."""
        new = next(self.stream)[None]
        stored = new.bfloat16().float() if self.dtype == "bfloat16" else new
        nearest = int(torch.cdist(stored.flatten(1), self.held, compute_mode="donot_use_mm_for_euclid_dist").argmin())
        position = self.bank.add(0, new, 0.5, self.generator)
        self.held[position] = self.bank.file.entry(0, position).flatten()
        return position == nearest


def noise(shape: tuple[int, ...], spread: float, seed: int = 0) -> Iterator[Tensor]:
    """Independent noise whose norms vary by `spread` (one standard deviation, relative)."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(shape, generator=generator) * math.exp(spread * float(torch.randn((), generator=generator)))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_sketches_find_the_nearest_of_errors_of_varying_size(tmp_path: Path, dtype: str) -> None:
    pool = Pool(tmp_path, noise(LARGE, 0.2), LARGE, dtype)
    n, capacity = 30, pool.bank.settings.capacity
    assert sum(pool.add() for _ in range(n)) == n
    assert pool.bank.read / n < capacity / 3


def test_without_any_structure_it_reads_more_rather_than_err(tmp_path: Path) -> None:
    pool = Pool(tmp_path, noise(LARGE, 0.0), LARGE)
    assert sum(pool.add() for _ in range(20)) == 20


def residuals(data: DataSettings, training_steps: int) -> Iterator[Tensor]:
    """One-step residuals of a real tiny Wan transformer on clips of the embedded world, at one noise level."""
    footage, backbone = WorldFootage(data), make_backbone(data)
    clips = [footage.read(i) for i in range(len(footage))]
    frames = torch.stack([torch.from_numpy(clip.frames) for clip in clips])
    latents, text = backbone.encode(frames), backbone.encode_text([clip.prompt for clip in clips])
    condition = backbone.condition(frames[:, :1], frames[:, 0], CONDITION)
    model = backbone.transformers["transformer"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)

    def residual(rows: Tensor, t: Tensor) -> Tensor:
        x, noise = latents[rows], torch.randn(latents[rows].shape, generator=generator)
        given = {name: tensor[rows] for name, tensor in condition.items()}
        v = backbone.velocity(model, interpolate(x, noise, t), t, given, text[rows])
        return v - (x - noise)

    for _ in range(training_steps):
        loss = residual(torch.randint(len(clips), (4,), generator=generator), torch.rand(4, generator=generator))
        optimizer.zero_grad()
        loss.square().mean().backward()
        optimizer.step()
    while True:
        rows = torch.randint(len(clips), (8,), generator=generator)
        yield from residual(rows, 0.6 + 0.05 * torch.rand(8, generator=generator)).detach()


@pytest.mark.slow
def test_sketches_find_the_nearest_of_a_real_models_residuals(tmp_path: Path) -> None:
    data = DataSettings(clips=24, height=64, width=64, clip_frames=9)
    pool = Pool(tmp_path, residuals(data, 30), (BACKBONE.latent_channels, 9, 16, 16), "float32")
    n = 60
    assert sum(pool.add() for _ in range(n)) == n
    assert pool.bank.read / n < pool.bank.settings.capacity / 4


def test_an_error_that_is_there_already_replaces_itself_and_a_zero_one_does_no_harm(tmp_path: Path) -> None:
    pool = Pool(tmp_path, noise(LARGE, 0.2), LARGE)
    again = pool.bank.entries(0)[7]
    pool.bank.read = 0
    assert pool.bank.add(0, again, 0.5, pool.generator) == 7
    assert pool.bank.read < 8
    smallest = int(pool.bank.entries(0).flatten(1).norm(dim=1).argmin())
    zero = torch.zeros(1, *LARGE)
    assert pool.bank.add(0, zero, 0.5, pool.generator) == smallest
    assert pool.bank.add(0, zero, 0.5, pool.generator) == smallest


def test_its_index_takes_less_than_a_hundredth_of_its_entries() -> None:
    layout = layout_of(50, (16, 21, 60, 104), BankSettings(dtype="bfloat16"), both=False)
    two_lists = 2 * 50 * 500 * 16 * 21 * 60 * 104 * 2
    assert layout.full_entries * layout.entry_bytes == two_lists / 2
    eight_ranks = 8 * Sketcher(layout.values, layout.sketch).bytes
    assert layout.index_bytes + eight_ranks < 0.01 * layout.full_entries * layout.entry_bytes
