"""Grids: the tables of a report as text cells, before they become Markdown, LaTeX or HTML."""

import itertools
from dataclasses import dataclass

NONE = "\N{EN DASH}"
SKIPPED = "skipped"


@dataclass(frozen=True)
class Cell:
    """A text, the reason where it stands for a missing number, and whether it is shown to be the best of its column."""

    text: str
    reason: str = ""
    best: bool = False


@dataclass(frozen=True)
class Grid:
    """A titled table: column heads, rows whose first cells (`names` of them) name them, and notes below.

    Where it is `grouped`, rows of the same first name stand together and it is written once.
    """

    title: str
    heads: list[str]
    rows: list[list[Cell]]
    notes: list[str]
    names: int = 1
    grouped: bool = False

    @property
    def groups(self) -> list[list[list[Cell]]]:
        """The rows by their first name where they are grouped, else all of them together."""
        if not self.grouped:
            return [self.rows]
        return [list(rows) for _, rows in itertools.groupby(self.rows, key=lambda row: row[0])]
