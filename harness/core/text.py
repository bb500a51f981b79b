"""Plain text for people: tables and durations."""

from collections.abc import Iterable, Sequence

GAP = "  "
LONGEST_WORD, LONGEST_MESSAGE = 256, 1200  # letters that a person reads of what a command refuses


def one_line(message: str) -> str:
    """A message as it is told: on one line, without signs that steer a terminal, and what is far too long cut in its middle."""
    words = " ".join(
        "".join(sign if sign.isprintable() or sign.isspace() else ascii(sign)[1:-1] for sign in message).split("\n")
    )
    return _cut(" ".join(_cut(word, LONGEST_WORD) for word in words.split(" ")), LONGEST_MESSAGE)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2 - 20
    return f"{text[:half]}...({len(text) - 2 * half} letters left out)...{text[-half:]}"


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of a plain text table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def duration(seconds: float) -> str:
    """Seconds for people: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(number: int, one: str, many: str) -> str:
    """Of a number of things: 1 stage is, 2 stages are."""
    return f"{number} {one if number == 1 else many}"


def flowing(text: str) -> str:
    """In one line, as a paragraph."""
    return " ".join(text.split())


def markdown_table(head: tuple[str, ...], rows: Iterable[Iterable[object]]) -> str:
    """A row of heads, and a row for each of `rows`."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(_cell(value) for value in row)} |" for row in rows)])


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")
