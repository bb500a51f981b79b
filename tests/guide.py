"""The code blocks of docs/extend.md."""

import re
from pathlib import Path

GUIDE = (Path(__file__).parents[1] / "docs" / "extend.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


FILES = {re.match(r"# (\w+\.py)\n", text)[1]: text for text in blocks("python")}  # type: ignore[index]
"""Whole files by their names."""
COMMANDS = [line for text in blocks("bash") for line in text.replace("\\\n", "").splitlines()]


def written(folder: Path, *names: str) -> Path:
    """The folder, with these files in it; none named: all."""
    for name in names or FILES:
        (folder / name).write_text(FILES[name])
    return folder
