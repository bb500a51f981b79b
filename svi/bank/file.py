"""The file that an error bank lives in: memory-mapped, shared by the ranks of a node, unharmed by a crash at any write.

An entry is written to a *row*; an index says which row each position of each slot has. A row that a checkpoint refers to is
never overwritten: its position gets another row, and the old one is free again once a later checkpoint is durable (copy on
write). So a crash leaves nothing to undo, however torn the last write is: the checkpoint holds the mapping of its moment,
and all its rows are as they were.

    header (JSON) | index | sketches [R, D] int8 | entries [as many rows as were ever needed]

R is three times the positions: the bank's own rows, those of the last durable checkpoint, those of one that is not yet durable.
"""

import fcntl
import json
import math
import mmap
import os
import shutil
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from svi.bank.sketch import Sketch
from svi.disk import is_full, replacing, require_space, size

PAGE = 4096
FORMAT = "svi error bank 1"
CURRENT = np.uint8(1)  # bit of a row: in the bank now
HELD = np.uint8(2), np.uint8(4)  # held by the one or the other checkpoint
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Layout:
    """What a file holds: entries of `shape` [1 or 2, C, T, h, w] and `dtype`, with a sketch of `sketch` bytes each."""

    slots: int
    capacity: int
    shape: tuple[int, ...]
    dtype: str
    sketch: int = 0

    @cached_property
    def full_entries(self) -> int:
        """Entries of a full bank."""
        return self.slots * self.capacity

    @cached_property
    def values(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def entry_bytes(self) -> int:
        return self.values * DTYPES[self.dtype].itemsize

    @cached_property
    def index(self) -> np.dtype[np.void]:
        """The index: the two checkpoints' stamps and which is durable, then by slot, by position and by row."""
        by_slot, by_position, by_row = (self.slots,), (self.slots, self.capacity), (3 * self.full_entries,)
        fields = [
            ("stamps", "i8", (2,)),
            ("durable", "i8", (1,)),
            ("count", "i8", by_slot),
            ("next", "i8", by_slot),
            ("rows", "i8", by_position),
            ("times", "f4", by_position),
            ("norms", "f4", by_row),
            ("scales", "f4", by_row),
            ("bits", "u1", by_row),
        ]
        return np.dtype(fields, align=True)

    @cached_property
    def sketches_at(self) -> int:
        return PAGE + _whole_pages(self.index.itemsize)

    @cached_property
    def entries_at(self) -> int:
        return self.sketches_at + _whole_pages(3 * self.full_entries * self.sketch)

    @cached_property
    def index_bytes(self) -> int:
        """Bytes of a full bank beside its entries: header, index and sketches."""
        return self.sketches_at + self.full_entries * self.sketch

    @cached_property
    def full_bytes(self) -> int:
        """Bytes of a full bank on disk; one entry for each position that was overwritten since the last checkpoint comes on top."""
        return self.index_bytes + self.full_entries * self.entry_bytes


def _whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


class BankFile:
    """The file of one bank. Its arrays are views of the mapping: what one process writes, all that map the file see.

    count, next [slots]; rows, times [slots, capacity]; norms (squared), scales (of the sketches), bits [R].
    """

    stamps: NDArray[np.int64]
    durable: NDArray[np.int64]
    count: NDArray[np.int64]
    next: NDArray[np.int64]
    rows: NDArray[np.int64]
    times: NDArray[np.float32]
    norms: NDArray[np.float32]
    scales: NDArray[np.float32]
    bits: NDArray[np.uint8]

    def __init__(self, path: Path, layout: Layout, *, leader: bool = True) -> None:
        """Open `path` as an empty bank. The leader, one process a file, creates it where there is none; the others come after.

        What checkpoints hold stays in the file for `restore`. Raises ValueError when the disk has no room for the full bank, or the
        file is another bank's or another leader's.
        """
        self.path, self.layout = path, layout
        if leader and not path.is_file():
            self._create()
        self._fd = os.open(path, os.O_RDWR)
        try:
            if leader:
                self._lock()
            self._check()
        except ValueError:
            os.close(self._fd)
            raise
        self._map()
        if leader:
            self.count[:] = 0
            self.next[:] = 0
            self.bits &= ~CURRENT

    def _create(self) -> None:
        """A sparse file, whole or not there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        layout = self.layout
        require_space(
            self.path.parent,
            layout.full_bytes,
            f"the full error bank ({layout.full_entries} errors of {size(layout.entry_bytes)})",
            "lower bank.capacity, set bank.lists=1 where it is 2, or set bank.folder to a folder with more room",
        )
        with replacing(self.path) as fresh, fresh.open("wb") as file:
            file.write(json.dumps(self._header()).encode().ljust(PAGE))
            file.write(bytes(layout.sketches_at - PAGE))
            file.truncate(layout.entries_at + layout.full_entries * layout.entry_bytes)

    def _header(self) -> dict[str, object]:
        return {"format": FORMAT, **asdict(self.layout), "shape": list(self.layout.shape)}

    def _lock(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"{self.path} is in use by another process; wait for it, or give this training a bank.folder of its own"
            ) from None
        except OSError:
            pass  # a file system without locks

    def _check(self) -> None:
        header = os.pread(self._fd, PAGE, 0).decode(errors="replace").strip()
        if header != json.dumps(self._header()):
            raise ValueError(
                f"{self.path} is not the bank of this training: its header is {header[:200]!r}, expected {self._header()}; "
                "remove the file, or set bank.folder to another folder"
            )

    def _map(self) -> None:
        """Map the whole file as it is now; entries beyond it need another call."""
        layout, size = self.layout, os.fstat(self._fd).st_size
        mapped = mmap.mmap(self._fd, size)
        index = np.frombuffer(mapped, layout.index, 1, PAGE)
        for name in layout.index.names or ():
            setattr(self, name, index[name][0])
        shape = (3 * layout.full_entries, layout.sketch)
        self.sketches = torch.from_numpy(np.ndarray(shape, np.int8, mapped, layout.sketches_at))
        entries = (size - layout.entries_at) // layout.entry_bytes
        raw = torch.from_numpy(np.ndarray((entries, layout.entry_bytes), np.uint8, mapped, layout.entries_at))
        self._entries: Tensor = raw.view(DTYPES[layout.dtype]).view(entries, *layout.shape)

    def entry(self, slot: int, position: int) -> Tensor:
        """The stored entry, as a view of the file: valid until the next `put`. [1 or 2, C, T, h, w]"""
        row = int(self.rows[slot, position])
        return self._upto(row)[row]

    def entries(self, slot: int, out: Tensor | None = None) -> Tensor:
        """All entries of a slot, copied (to `out`, which spares the memory). [count, 1 or 2, C, T, h, w]"""
        rows = self.rows[slot, : self.count[slot]]
        return torch.index_select(self._upto(int(rows.max(initial=-1))), 0, torch.from_numpy(rows), out=out)

    def sketched(self, slot: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sketches of all rows [R, D], then of a slot's positions: rows, scales and squared norms. [count]"""
        rows = self.rows[slot, : self.count[slot]]
        scales, norms = torch.from_numpy(self.scales[rows]), torch.from_numpy(self.norms[rows])
        return self.sketches, torch.from_numpy(rows), scales, norms

    def _upto(self, row: int) -> Tensor:
        """The mapped rows: this one too, if the file has it."""
        if row >= len(self._entries):
            self._map()
        return self._entries

    def put(self, slot: int, position: int, entry: Tensor, t: float, sketch: Sketch) -> None:
        """Write an entry to a position that is taken already or the slot's next. Raises ValueError when the disk is full."""
        layout, taken = self.layout, position < self.count[slot]
        old = self.rows[slot, position]
        row = old if taken and self.bits[old] == CURRENT else int(self.bits.argmin())
        if row >= len(self._upto(row)):
            os.ftruncate(self._fd, layout.entries_at + (row + 1 + layout.full_entries // 16) * layout.entry_bytes)
        self._write(sketch.numbers, layout.sketches_at + row * layout.sketch)
        self._write(entry, layout.entries_at + row * layout.entry_bytes)
        self.norms[row], self.scales[row], self.times[slot, position] = sketch.norm, sketch.scale, t
        if taken:
            self.bits[old] &= ~CURRENT
        else:
            self.count[slot] += 1
        self.rows[slot, position] = row
        self.bits[row] |= CURRENT

    def _write(self, data: Tensor, offset: int) -> None:
        """Not through the mapping: there a full disk would kill the process."""
        rest = memoryview(data.contiguous().view(torch.uint8).numpy().data).cast("B")
        try:
            while rest:
                done = os.pwrite(self._fd, rest, offset)
                rest, offset = rest[done:], offset + done
        except OSError as error:
            if not is_full(error):
                raise
            raise ValueError(
                f"no room for another error in {self.path}: {shutil.disk_usage(self.path.parent).free} bytes are free; "
                "make room and run again (the last checkpoint is kept), or set a larger bank.folder or a smaller bank.capacity"
            ) from None

    @property
    def stamp(self) -> int:
        """Of the checkpoint that `hold` was last called for."""
        return int(self.stamps[1 - self.durable[0]])

    def hold(self) -> None:
        """Keep all present rows for a checkpoint in the making, beside those of the durable one, and have all of it on disk."""
        which = 1 - int(self.durable[0])
        self._release(which)
        self.bits |= (self.bits & CURRENT) * HELD[which]
        self.stamps[which] = 1 + int.from_bytes(os.urandom(7))
        os.fsync(self._fd)

    def settle(self) -> None:
        """The checkpoint held last is durable: what only the one before it held is free."""
        which = 1 - int(self.durable[0])
        if self.stamps[which]:
            self.durable[0] = which
            self._release(1 - which)

    def restore(self, stamp: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Be as a held checkpoint was: count, next, rows and times of it. Harmless to repeat, wherever it was cut short."""
        which = self.which(stamp)
        self.durable[0] = which
        self._release(1 - which)
        for name, values in arrays.items():
            getattr(self, name)[:] = values
        self.bits &= ~CURRENT
        for slot, count in enumerate(self.count):
            self.bits[self.rows[slot, :count]] |= CURRENT

    def which(self, stamp: int | None) -> int:
        """Which of the two held checkpoints has this stamp. Raises ValueError if neither has."""
        if not stamp or stamp not in self.stamps:
            raise ValueError(
                f"{self.path} does not hold the errors of the checkpoint to resume from: the file was removed or replaced, "
                "or a later checkpoint was made with it; put the right file back (or set bank.folder to where it lies), "
                "or remove the checkpoints to train from the start"
            )
        return int(self.stamps[1] == stamp)

    def _release(self, which: int) -> None:
        self.stamps[which] = 0
        self.bits &= ~HELD[which]

    def close(self, *, remove: bool = False) -> None:
        """Unmap and unlock the file; `remove` it as well."""
        del self._entries, self.sketches
        for name in self.layout.index.names or ():
            delattr(self, name)
        os.close(self._fd)
        if remove:
            self.path.unlink()
