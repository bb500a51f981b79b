"""Plain text for people: tables and durations."""

from collections.abc import Iterable, Sequence

GAP = "  "


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of a plain text table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def duration(seconds: float) -> str:
    """Seconds for people: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def markdown_table(head: tuple[str, ...], rows: Iterable[Iterable[object]]) -> str:
    """A row of heads, and a row for each of `rows`."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(_cell(value) for value in row)} |" for row in rows)])


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")
