"""The bank's file, interfered with, as a training uses it."""

import io
from pathlib import Path

import torch

from svi.bank.bank import ErrorBank
from svi.disk import write_whole
from svi.error_settings import BankSettings
from tests.faults.part import Part, Result, digest
from tests.svi.bank.test_file import SHAPE, SLOTS, contents, new

_ERRORS, _EVERY = 60, 12


def _bank_errors(folder: Path) -> None:
    """As a training does: errors, a checkpoint every so often, and the file goes when the result is there."""
    result, state = folder / "result.pt", folder / "state.pt"
    if result.is_file():
        (folder / "bank-0.bin").unlink(missing_ok=True)
        return
    bank, first = ErrorBank(SLOTS, SHAPE, BankSettings(capacity=5), folder), 0
    if state.is_file():
        kept = torch.load(state, weights_only=True)
        first = kept["next"]
        bank.load_state_dict(kept["bank"])
    for k in range(first, _ERRORS):
        bank.add(*new(k))
        if (k + 1) % _EVERY == 0:
            write_whole(state, _saved({"next": k + 1, "bank": bank.state_dict()}))
            bank.settle()
    write_whole(result, _saved({str(i): x for i, x in enumerate(contents(bank))}))
    bank.close(remove=True)


def _saved(what: object) -> bytes:
    content = io.BytesIO()
    torch.save(what, content)
    return content.getvalue()


def _banked(folder: Path) -> Result:
    assert not (folder / "bank-0.bin").exists()
    kept = torch.load(folder / "result.pt", weights_only=True)
    return {name: digest(x.numpy().tobytes()) for name, x in kept.items()}


PARTS = (Part("bank", _bank_errors, _banked, lines=("bank/file.py", "bank/bank.py")),)
