"""Prompts that are told one after the other: a file of lines that grows while it is read."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.samples import prompt_lines

END = "# end"
"""A line behind which no prompt comes; in a file that is read at once it is a comment like any other."""
LOOK = 0.2  # seconds between two looks at the file


def told_in(file: Path, patience: float) -> Iterator[list[str]]:
    """New prompts, whenever there are some: until a line is `END`, or none has come for `patience` seconds of waiting.

    A line counts once it has its end, or nothing has come after it for that long. Raises ValueError for what is no text.
    """
    known, since = 0, time.monotonic()
    while True:
        late = time.monotonic() - since > patience
        prompts, ended = prompts_so_far(file, unended=late)
        if len(prompts) > known:
            yield prompts[known:]
            known, since = len(prompts), time.monotonic()
        if ended or late:
            return
        time.sleep(LOOK)


def prompts_so_far(file: Path, *, unended: bool = True) -> tuple[list[str], bool]:
    """The prompts of a file of lines, and whether it says that they have ended; `unended`: with a last line that has no end yet.

    No file is one without lines: editors put another one in its place. Raises ValueError for what is no text.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return [], False
    whole = content if unended else content[: content.rfind(b"\n") + 1]
    try:
        lines = whole.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"unreadable {file.name} ({error}), expected UTF-8") from error
    end = next((i for i, line in enumerate(lines) if line.strip() == END), None)
    return prompt_lines(lines[:end]), end is not None
