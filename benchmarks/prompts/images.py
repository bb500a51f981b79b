"""An image for a keyword, from a folder: found by the words of its name, of its folders, or of a text beside it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_WORDS = re.compile(r"[^\W_]+")
_BY_NAME, _BY_FOLDER, _BY_TEXT = "file name", "folder name", "text beside it"
_WEIGHT = {_BY_NAME: 3, _BY_FOLDER: 2, _BY_TEXT: 1}
_READ = 1 << 16  # bytes of a text beside an image
_LISTED = 8


@dataclass(frozen=True)
class Found:
    """An image, by which of its names each word of the keyword was found, and how many others have all words too."""

    path: Path
    by: dict[str, str]
    others: int

    def how(self) -> str:
        """In words, such as: 'red' by folder name, 'fox' by file name; 2 others fit no better."""
        words = ", ".join(f"{word!r} by {name}" for word, name in self.by.items())
        rest = {0: "", 1: "; 1 other fits no better"}.get(self.others, f"; {self.others} others fit no better")
        return words + rest

    def source(self, keyword: str) -> dict[str, Any]:
        return {"kind": "folder", "keyword": keyword, "path": str(self.path), "matched": self.by, "others": self.others}


def find_image(folder: Path, keyword: str) -> Found:
    """The image below `folder` that fits `keyword` best: every word of it must be found, letter case aside.

    A word counts 3 in the file's name, 2 in a folder's, 1 in a .txt of the image's name. Among equals the name with the
    fewest other words wins, then the first in the order of paths, so that the same folder gives the same image.

    Raises:
        ValueError: no such folder, a keyword without a word, or no image with all words (lists what comes nearest).
    """
    if not folder.is_dir():
        raise ValueError(f"images: received {str(folder)!r}, expected an existing folder with images")
    wanted = list(dict.fromkeys(_words(keyword)))
    if not wanted:
        raise ValueError(f"keyword: received {keyword!r}, expected at least one word")
    ranked = sorted((_rank(path, folder, wanted) for path in _images(folder)), key=lambda entry: entry[0])
    if not ranked:
        raise ValueError(f"images: {folder} holds no image ({', '.join(SUFFIXES)}), expected some to choose from")
    fitting = [entry for entry in ranked if len(entry[2]) == len(wanted)]
    if not fitting:
        named = ", ".join(path.relative_to(folder).as_posix() for _, path, _ in ranked[:_LISTED])
        more = f", and {len(ranked) - _LISTED} more" if len(ranked) > _LISTED else ""
        raise ValueError(
            f"keyword: received {keyword!r}, expected words that are all found in a file's name, its folders' names or a "
            f".txt beside it; {folder} holds, nearest first: {named}{more}"
        )
    _, path, by = fitting[0]
    return Found(path, by, len(fitting) - 1)


def _rank(path: Path, folder: Path, wanted: list[str]) -> tuple[tuple[int, int, int, str], Path, dict[str, str]]:
    """What to sort by, the path, and where each wanted word was found."""
    inside = path.relative_to(folder)
    name = _words(inside.stem)
    words_by = {
        _BY_NAME: set(name),
        _BY_FOLDER: {word for part in inside.parent.parts for word in _words(part)},
        _BY_TEXT: set(_beside(path)),
    }
    found = {word: next((by for by, words in words_by.items() if word in words), None) for word in wanted}
    by = {word: name for word, name in found.items() if name is not None}
    left_over = sum(word not in wanted for word in name)
    return (-len(by), -sum(_WEIGHT[name] for name in by.values()), left_over, inside.as_posix()), path, by


def _beside(path: Path) -> list[str]:
    text = path.with_suffix(".txt")
    try:
        with text.open("rb") as file:
            return _words(file.read(_READ).decode("utf-8-sig", errors="replace"))
    except OSError:
        return []


def _images(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(parent, name)


def _words(text: str) -> list[str]:
    return _WORDS.findall(text.casefold())
