"""Markdown as a command prints it: laid out for people on a terminal, as it is for programs and files."""

import sys
from pathlib import Path
from typing import ClassVar

from reports.artifacts import ANSWER, TABLE


def print_report(folder: Path) -> None:
    """Its tables, and last, where the eye is, its answers."""
    answer = folder / ANSWER  # of no report that an older version made
    texts = [
        (folder / TABLE).read_text(encoding="utf-8"),
        answer.read_text(encoding="utf-8") if answer.is_file() else "",
    ]
    print_markdown("\n".join(text for text in texts if text.strip()))


def print_markdown(text: str) -> None:
    """Print it; on a terminal tables have rules, keep the names of their rows whole and fit the width."""
    if not sys.stdout.isatty():
        print(text.rstrip("\n"), flush=True)
        return
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.markdown import Markdown, MarkdownElement, TableElement
    from rich.table import Table
    from rich.text import Text

    class NamesWhole(TableElement):
        """A table that wraps its numbers where it must, and no name."""

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            for part in super().__rich_console__(console, options):
                for column in part.columns if isinstance(part, Table) else ():
                    column.no_wrap = isinstance(column.header, Text) and column.header.justify == "left"
                yield part

    class LaidOut(Markdown):
        elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "table_open": NamesWhole}

    Console().print(LaidOut(text))
