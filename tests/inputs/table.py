"""The tables of wrong inputs: a command line, and below it, indented, the one line that refuses it.

`...` in a message stands for anything: lists that grow, and words of libraries.
"""

from pathlib import Path
from typing import NamedTuple

TABLES = Path(__file__).with_name("tables")


class Row(NamedTuple):
    """A wrong input. `table`: what it is given to; `line`: as `refusal` takes it; `says`: what is expected."""

    table: str
    line: str
    says: str


def rows() -> list[Row]:
    """Of all tables, in order. Raises ValueError for one that is given twice."""
    found: dict[str, Row] = {}
    for file in sorted(TABLES.glob("*.txt")):
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line]
        for line, says in zip(lines[::2], lines[1::2], strict=True):
            if not says.startswith("    ") or line.startswith(" ") or line in found:
                raise ValueError(f"{file.name}: {line!r} is twice there, or its message is not below it")
            found[line] = Row(file.stem, line, says.strip())
    return list(found.values())


def matches(says: str, message: str) -> bool:
    """Whether the message holds the parts of `says`, in order."""
    at = 0
    for part in says.split("..."):
        at = message.find(part.strip(), at)
        if at < 0:
            return False
        at += len(part.strip())
    return True
