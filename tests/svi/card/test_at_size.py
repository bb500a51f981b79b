"""Work at size, measured at test size on the processor; and what does not fit."""

import pytest
import torch

from svi.card import at_size
from svi.card.at_size import Timed, timed
from svi.perf.shapes import SIZES, weight_bytes


@pytest.mark.slow
def test_every_work_is_timed() -> None:
    rows = [row for work in ("encoders", "step", "call") for row in timed("test", work)]
    assert [row.work for row in rows] == ["text", "encode", "decode", "step", "call"]
    assert all(row.seconds and row.peak_bytes and not row.note for row in rows)


def test_what_does_not_fit_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_size, "room", lambda device: 10)
    rows = [row for work in ("step", "call") for row in timed("test", work)]
    assert all(row.seconds is None and "GiB are free: does not fit" in row.note for row in rows)


def test_running_out_of_memory_is_told() -> None:
    def full() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nmore")

    found = at_size._measured("call", "plain", lambda: full, torch.device("cpu"), 1)
    assert found == Timed("call", "plain", note="out of memory: CUDA out of memory. Tried to allocate 20.00 GiB.")


def test_bytes_are_known_before_anything_is_allocated() -> None:
    assert weight_bytes(SIZES["wan2.1-i2v-14b-480p"]) / 1e9 == pytest.approx(32.8, abs=0.1)
    assert weight_bytes(SIZES["wan2.2-ti2v-5b"]) / 1e9 == pytest.approx(10.0, abs=0.1)
