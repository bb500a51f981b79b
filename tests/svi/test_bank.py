"""The bank: capacity, replacement, both ways to store errors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svi.bank import ErrorBank
from svi.settings import BankSettings

SHAPE = (2, 3, 1, 1)


def filled(replacement: str, capacity: int, seed: int, n: int) -> tuple[ErrorBank, torch.Generator]:
    bank = ErrorBank(3, SHAPE, BankSettings(capacity=capacity, replacement=replacement))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        bank.add(1, torch.randn(1, *SHAPE, generator=generator), 0.25, generator)
    return bank, generator


@given(st.sampled_from(["l2", "random", "fifo"]), st.integers(1, 6), st.integers(0, 2**31), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_adding_never_lowers_the_number_of_entries(replacement: str, capacity: int, seed: int, n: int) -> None:
    bank, generator = filled(replacement, capacity, seed, n)
    before = bank.count.clone()
    bank.add(1, torch.randn(1, *SHAPE, generator=generator), 0.5, generator)
    assert (bank.count >= before).all()
    assert bank.count.tolist() == [0, min(n + 1, capacity), 0]


@given(st.integers(1, 6), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_l2_replaces_the_nearest_entry_and_no_other(capacity: int, seed: int) -> None:
    bank, generator = filled("l2", capacity, seed, capacity)
    before = bank.entries[1].clone()
    new = torch.randn(1, *SHAPE, generator=generator)
    nearest = min(range(capacity), key=lambda i: float((before[i] - new).norm()))
    assert bank.add(1, new, 0.5, generator) == nearest
    assert torch.equal(bank.entries[1, nearest], new)
    others = [i for i in range(capacity) if i != nearest]
    assert torch.equal(bank.entries[1, others], before[others])


def test_fifo_replaces_the_oldest() -> None:
    bank, generator = filled("fifo", 3, 0, 3)
    places = [bank.add(1, torch.zeros(1, *SHAPE), 0.5, generator) for _ in range(5)]
    assert places == [0, 1, 2, 0, 1]


def test_a_residual_represents_both_errors() -> None:
    bank, generator = filled("l2", 4, 0, 1)
    r = bank.entries[1, 0, 0]
    errors = bank.sample(1, generator)
    assert errors is not None
    torch.testing.assert_close(errors.vid, 0.75 * r)
    torch.testing.assert_close(errors.noi, -0.25 * r)


def test_the_clean_truth_stores_both_errors() -> None:
    bank = ErrorBank(2, SHAPE, BankSettings(capacity=2), both=True)
    generator = torch.Generator().manual_seed(0)
    entry = torch.randn(2, *SHAPE)
    bank.add(0, entry, 0.4, generator)
    errors = bank.sample(0, generator)
    assert errors is not None
    assert torch.equal(torch.stack(list(errors)), entry)


def test_an_empty_slot_has_nothing_and_any_slot_finds_the_filled_one() -> None:
    bank, generator = filled("l2", 2, 0, 2)
    assert bank.sample(0, generator) is None
    assert bank.sample_any(generator) is not None
    assert ErrorBank(2, SHAPE, BankSettings(capacity=2)).sample_any(generator) is None


def test_state_round_trip_and_refusal_of_another_size() -> None:
    bank, _ = filled("l2", 3, 5, 7)
    twin = ErrorBank(3, SHAPE, bank.settings)
    twin.load_state_dict(bank.state_dict())
    for name, tensor in bank.state_dict().items():
        assert torch.equal(tensor, twin.state_dict()[name])
    with pytest.raises(ValueError, match="checkpoint has"):
        ErrorBank(4, SHAPE, bank.settings).load_state_dict(bank.state_dict())
