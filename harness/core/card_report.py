"""What was measured of a kind of GPU: a file a kind in the store, written by `harness doctor --gpu`.

`harness plan` reads it for what a stage takes on that card (harness/plan/); people attach it to an issue. It holds no path, no name
of a host or user, and nothing of the environment.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.core.atomic import replacing
from harness.core.errors import UseError

FOLDER = "cards"  # of a store
Work = Literal["step", "call", "encode", "decode", "text"]
"""step: one clip forward and back and the optimiser, activations computed again block by block; a step of train.batch clips on
train.ranks cards is batch / ranks of them. call: one forward pass of the transformer on one clip; a guided denoising step is two.
encode, decode: one clip through the VAE. text: one prompt."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CheckRow(_Frozen):
    """One check: what was measured, and what it may be. Skipped ones say why in `note`, failed ones what to do."""

    name: str
    dtype: str | None = None
    state: Literal["passed", "failed", "skipped"]
    measured: float | None = None
    tolerance: float | None = None
    note: str = ""


class SizeRow(_Frozen):
    """One piece of work at a profile's size, on one card; `note` alone where it could not be measured, which says why."""

    profile: str
    work: Work
    how: str = ""
    """In settings: "speed.attention=sdpa speed.offload=none"."""
    dtype: str
    height: int
    width: int
    frames: int
    seconds: float | None = None
    peak_bytes: int | None = None
    """Of the card's memory, what the allocator had in use at most, weights included."""
    note: str = ""


class CardReport(_Frozen):
    """A kind of card in one machine; `memory_bytes` of one card."""

    card: str
    memory_bytes: int
    cards: int = 1
    driver: str = ""
    created: datetime
    seconds: float = 0.0
    versions: dict[str, str] = {}
    checks: tuple[CheckRow, ...] = ()
    sizes: tuple[SizeRow, ...] = ()

    def of(self, profile: str, work: Work) -> SizeRow | None:
        """The fastest that was measured of this work at the profile; None where nothing was."""
        rows = [row for row in self.sizes if (row.profile, row.work) == (profile, work) and row.seconds is not None]
        return min(rows, key=lambda row: row.seconds or 0.0, default=None)

    def save(self, store: Path) -> Path:
        """Write it into the store's folder of cards, in the place of an earlier one of the same kind of card."""
        file = store / FOLDER / f"{slug(self.card)}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as fresh:
            fresh.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return file


def load(file: Path) -> CardReport:
    """Raises UseError for a file that is no such report."""
    try:
        return CardReport.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise UseError(
            f"{file} is no readable report of a card ({str(error).splitlines()[0]}); `harness doctor --gpu` writes it anew"
        ) from error


def known_cards(store: Path) -> list[CardReport]:
    """All in the store (its folder), the newest first. Raises UseError as `load`."""
    found = [load(file) for file in (store / FOLDER).glob("*.json")]
    return sorted(found, key=lambda report: report.created, reverse=True)


def slug(card: str) -> str:
    """A card's name as a file's: NVIDIA H200 -> nvidia-h200."""
    return re.sub(r"[^a-z0-9]+", "-", card.lower()).strip("-") or "card"
