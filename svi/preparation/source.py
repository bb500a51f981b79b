"""What one training sample is made of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from svi.data.samples import PROMPT

CUT = 0.1  # seconds that may be left out without a word


class Made(NamedTuple):
    """What came of a source: so many frames, and what a person should know of it (empty: nothing)."""

    frames: int
    seconds: float
    note: str


class Source(Protocol):
    """One sample, not made yet."""

    @property
    def name(self) -> str:
        """Of its folder."""

    @property
    def files(self) -> Sequence[Path]:
        """It is made of these: with them, it changes."""

    @property
    def how(self) -> Mapping[str, Any]:
        """What else it changes with, as JSON holds it."""

    @property
    def prompt(self) -> str:
        """Of every clip. Raises ValueError for a caption that is no text."""

    def make(self, folder: Path) -> Made:
        """Write it into an empty folder. Raises ValueError, with the reason, for a source that gives no sample."""


def prompt_beside(folder: Path, without: str) -> str:
    """A source folder's own caption. Raises ValueError for a file that is no text."""
    try:
        return " ".join((folder / PROMPT).read_text(encoding="utf-8").split()) or without
    except FileNotFoundError:
        return without
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder / PROMPT} cannot be read ({error}); save it as UTF-8") from error
