"""The bank's file: crashes at any moment, resuming, sharing by the ranks of a node, and what it refuses."""

import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from svi.bank.bank import ErrorBank, New, Peers
from svi.error_settings import BankSettings
from svi.method.draws import keyed

SHAPE = (2, 3, 8, 8)
SLOTS = 3
SETTINGS = BankSettings(capacity=5)
FORK = multiprocessing.get_context("fork")  # children that need no second to import torch


def new(k: int) -> New:
    """The k-th error of a training."""
    generator = keyed("new", k)
    slot = int(torch.randint(SLOTS, (), generator=generator))
    return New(slot, torch.randn(1, *SHAPE, generator=generator), float(torch.rand((), generator=generator)), generator)


def contents(bank: ErrorBank) -> list[Tensor]:
    """All that a bank's future depends on."""
    file = bank.file
    used = [torch.from_numpy(file.times[slot, : file.count[slot]].copy()) for slot in range(SLOTS)]
    return [bank.entries(slot) for slot in range(SLOTS)] + used + [torch.from_numpy(file.next.copy())]


def undisturbed(folder: Path, n: int, settings: BankSettings = SETTINGS) -> list[Tensor]:
    """After the first n errors."""
    bank = ErrorBank(SLOTS, SHAPE, settings, folder)
    for k in range(n):
        bank.add(*new(k))
    found = contents(bank)
    bank.close(remove=True)
    return found


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_state_brings_the_file_back_whatever_was_added_since(tmp_path: Path) -> None:
    bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "a")
    for k in range(20):
        bank.add(*new(k))
    state = bank.state_dict()
    assert all(isinstance(x, int) or x.numel() <= SLOTS * SETTINGS.capacity for x in state.values())
    for k in range(20, 70):
        bank.add(*new(k))
    assert same(contents(bank), undisturbed(tmp_path / "b", 70))
    bank.load_state_dict(state)
    assert same(contents(bank), undisturbed(tmp_path / "b", 20))
    for k in range(20, 50):
        bank.add(*new(k))
    assert same(contents(bank), undisturbed(tmp_path / "b", 50))


@pytest.mark.parametrize("which", [0, 1])
def test_until_a_checkpoint_is_settled_the_one_before_can_be_resumed_from_too(tmp_path: Path, which: int) -> None:
    bank, states = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "a"), []
    for n in (20, 40):
        for k in range(n - 20, n):
            bank.add(*new(k))
        bank.settle()
        states.append(bank.state_dict())
    for k in range(40, 60):
        bank.add(*new(k))
    bank.close()
    bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "a")
    assert bank.fill == 0
    bank.load_state_dict(states[which])
    assert same(contents(bank), undisturbed(tmp_path / "b", (20, 40)[which]))


def test_a_new_start_in_an_old_folder_spares_the_last_checkpoint_until_it_has_its_own(tmp_path: Path) -> None:
    bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "a")
    for k in range(40):
        bank.add(*new(k))
    old = bank.state_dict()
    bank.settle()
    bank.close()
    bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "a")
    for k in range(100, 140):
        bank.add(*new(k))
    bank.load_state_dict(old)
    assert same(contents(bank), undisturbed(tmp_path / "b", 40))
    bank.state_dict()
    bank.settle()
    with pytest.raises(ValueError, match=r"bank-0.bin does not hold the errors of the checkpoint"):
        bank.load_state_dict(old)


def train(folder: Path, checkpoint: Path) -> None:
    """Add errors for ever, with a checkpoint now and then, resuming from the last one; dies when it is killed."""
    bank, n, rng = ErrorBank(SLOTS, SHAPE, SETTINGS, folder), 0, random.Random()
    if checkpoint.is_file():
        saved = torch.load(checkpoint, weights_only=True)
        bank.load_state_dict(saved["bank"])
        n = saved["n"]
    while True:
        for _ in range(rng.randrange(12)):
            bank.add(*new(n))
            n += 1
        torch.save({"bank": bank.state_dict(), "n": n}, checkpoint.with_suffix(".new"))
        checkpoint.with_suffix(".new").replace(checkpoint)
        bank.settle()


@pytest.mark.slow
def test_killed_at_random_moments_it_resumes_bit_for_bit(tmp_path: Path) -> None:
    checkpoint, rng, seen = tmp_path / "checkpoint.pt", random.Random(0), set()
    for _ in range(25):
        child = FORK.Process(target=train, args=(tmp_path / "a", checkpoint))
        child.start()
        deadline = time.monotonic() + 60
        while not checkpoint.is_file():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.15))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        saved = torch.load(checkpoint, weights_only=True)
        bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "a")
        bank.load_state_dict(saved["bank"])
        assert same(contents(bank), undisturbed(tmp_path / "b", saved["n"]))
        bank.close()
        seen.add(saved["n"])
    assert len(seen) > 5  # it did get on


@pytest.mark.slow
def test_a_resume_that_is_itself_cut_short_can_be_repeated(tmp_path: Path) -> None:
    bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "a")
    states = []
    for n in (20, 40):
        for k in range(n - 20, n):
            bank.add(*new(k))
        bank.settle()
        states.append(bank.state_dict())
    for k in range(40, 60):
        bank.add(*new(k))
    bank.close()

    def resume(lines: int) -> None:
        """Ends the process once it has run so many lines of what follows."""

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal lines
            lines -= event == "line" and frame.f_code.co_filename.endswith("svi/bank/file.py")
            if lines < 0:
                os._exit(9)
            return trace

        bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "a")
        sys.settrace(trace)
        bank.load_state_dict(states[1])
        sys.settrace(None)

    codes = []
    for lines in range(100):
        child = FORK.Process(target=resume, args=(lines,))
        child.start()
        child.join(60)
        codes.append(child.exitcode)
        bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "a")
        bank.load_state_dict(states[1])
        assert same(contents(bank), undisturbed(tmp_path / "b", 40))
        bank.close()
        if child.exitcode == 0:
            break
    assert codes[-1] == 0
    assert codes.count(9) == len(codes) - 1 > 10


def test_what_it_refuses(tmp_path: Path) -> None:
    bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path)
    bank.add(*new(0))
    state = bank.state_dict()
    with pytest.raises(ValueError, match=r"bank-0.bin is in use by another process"):
        ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path)
    bank.close()
    with pytest.raises(ValueError, match=r"bank-0.bin is not the bank of this training.*bank.folder"):
        ErrorBank(SLOTS + 1, SHAPE, SETTINGS, tmp_path)
    with pytest.raises(ValueError, match="is not the bank of this training"):
        ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path, both=True)
    (tmp_path / "bank-0.bin").unlink()
    with pytest.raises(ValueError, match=r"bank-0.bin does not hold .* the file was removed"):
        ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path).load_state_dict(state)
    (tmp_path / "bank-1.bin").write_bytes(b"\xff" * 10000)
    with pytest.raises(ValueError, match=r"bank-1.bin is not the bank of this training"):
        ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path, rank=1)


def test_a_disk_too_small_is_refused_at_once_and_a_full_one_when_it_is(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"\(25000 errors of 41\.9 GB\) needs \d{3,}\.\d TB, but .* free at .*; .*, set bank.lists=1 where",
    ):
        ErrorBank(50, (16, 21, 6000, 10400), BankSettings(dtype="bfloat16", replacement="fifo"), tmp_path)
    assert not list(tmp_path.iterdir())
    bank = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path)
    bank.add(*new(0))
    before = contents(bank)
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, bank.file._fd)
    with pytest.raises(ValueError, match=r"no room for another error in .*bank-0.bin"):
        bank.add(*new(1))
    assert same(contents(bank), before)


def test_the_file_starts_sparse_and_old_rows_are_used_again(tmp_path: Path) -> None:
    settings = BankSettings(capacity=20)
    bank, entry = ErrorBank(SLOTS, (1, 5, 64, 64), settings, tmp_path), torch.ones(1, 1, 5, 64, 64)
    path, generator = tmp_path / "bank-0.bin", torch.Generator()
    assert path.stat().st_blocks * 512 < bank.file.layout.entry_bytes
    for _ in range(6):
        for slot in range(SLOTS):
            for k in range(20):
                bank.add(slot, (slot * 100 + k) * entry, 0.5, generator)
        bank.state_dict()
        bank.settle()
    rows = (path.stat().st_size - bank.file.layout.entries_at) / bank.file.layout.entry_bytes
    assert bank.file.layout.full_entries < rows < 2.2 * bank.file.layout.full_entries
    assert [float(x) for x in bank.entries(2)[:, 0, 0, 0, 0, 0]] == [200 + k for k in range(20)]


class Group:
    """The processes of a gloo group, as peers."""

    def __init__(self, rank: int, size: int, store: Path) -> None:
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        dist.init_process_group("gloo", store=dist.FileStore(str(store), size), rank=rank, world_size=size)
        self.rank, self.size = rank, size

    def barrier(self) -> None:
        dist.barrier()


class Thread(NamedTuple):
    """A thread in place of a process."""

    rank: int
    size: int
    meeting: threading.Barrier

    def barrier(self) -> None:
        self.meeting.wait(60)


def share(rank: int, folder: Path, peers: Peers) -> None:
    """One of two ranks that share a bank: 30 steps of two errors each, a state, more, and back to it."""
    bank = ErrorBank(SLOTS, SHAPE, BankSettings(capacity=5, scope="node"), folder, peers=peers)
    drawn = []
    for step in range(30):
        positions = bank.add_all([new(4 * step + 2 * rank), new(4 * step + 2 * rank + 1)] if step % 3 or rank else [])
        drawn.append(bank.sample_any(keyed("draw", step)))
        assert len(positions) == (2 if step % 3 or rank else 0)
    state = bank.state_dict()
    then = contents(bank)
    for step in range(30, 40):
        bank.add_all([new(4 * step + 2 * rank)])
    bank.settle()
    late = contents(bank)
    bank.load_state_dict(state)
    torch.save(
        {"then": then, "late": late, "back": contents(bank), "drawn": [x.vid for x in drawn if x]},
        folder / f"{rank}.pt",
    )
    bank.close(remove=True)


def process(rank: int, folder: Path) -> None:
    share(rank, folder, Group(rank, 2, folder / "store"))
    dist.destroy_process_group()


def in_threads(folder: Path) -> None:
    meeting = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda rank: share(rank, folder, Thread(rank, 2, meeting)), range(2)))


def in_processes(folder: Path) -> None:
    # Fresh ones: this process may be a group of its own by now, which a fork would inherit.
    spawned = multiprocessing.get_context("spawn")
    ranks = [spawned.Process(target=process, args=(rank, folder)) for rank in range(2)]
    for one in ranks:
        one.start()
    for one in ranks:
        one.join(120)
        assert one.exitcode == 0


@pytest.mark.parametrize("run", [in_threads, pytest.param(in_processes, marks=pytest.mark.slow)])
def test_two_ranks_that_share_a_file_do_what_one_process_does(tmp_path: Path, run: Callable[[Path], None]) -> None:
    run(tmp_path)
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert all(same(one[name], two[name]) for name in one)
    alone, drawn = ErrorBank(SLOTS, SHAPE, SETTINGS, tmp_path / "alone"), []
    for step in range(30):
        for k in range(0 if step % 3 else 2, 4):
            alone.add(*new(4 * step + k))
        errors = alone.sample_any(keyed("draw", step))
        assert errors is not None
        drawn.append(errors.vid)
    assert same(one["drawn"], drawn)
    assert same(one["then"], contents(alone))
    assert same(one["back"], contents(alone))
    for step in range(30, 40):
        for rank in range(2):
            alone.add(*new(4 * step + 2 * rank))
    assert same(one["late"], contents(alone))
    assert not (tmp_path / "bank-0.bin").exists()
