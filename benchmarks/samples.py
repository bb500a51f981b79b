"""Samples: an image and its prompts, from a folder in the layout of the authors' benchmark.

A sample is a folder with an image (frame.jpg, else frame.png, else the first jpg, else the first png) and a
`prompt.txt` that holds `prompts = ["...", ...]`, else one prompt a line. Prompt files are data: parsed, never executed.
"""

import ast
import hashlib
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ASSIGNMENT = re.compile(r"^\s*prompts\s*=", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """One scene to start from; `name` is safe as a file name.

    Raises:
        ValueError: a name that is no plain file name, or no prompt.
    """

    name: str
    image: Path
    prompts: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.name in ("", ".", "..") or any(mark in self.name for mark in "/\\\0"):
            raise ValueError(f"sample name: received {self.name!r}, expected a plain file name (it names output files)")
        if not self.prompts:
            raise ValueError(f"sample {self.name!r}: received no prompts, expected at least one")


def load_samples(folder: Path) -> tuple[list[Sample], list[tuple[str, str]]]:
    """The usable samples below `folder`, sorted by name, and (name, reason) of every folder that is none.

    Raises:
        ValueError: `folder` does not exist, or no sample in it is usable.
    """
    if not folder.is_dir():
        raise ValueError(f"samples: received {str(folder)!r}, expected an existing folder with one folder a sample")
    samples: list[Sample] = []
    skipped: list[tuple[str, str]] = []
    for path in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        try:
            samples.append(Sample(path.name, _usable_image(path), read_prompts(path / "prompt.txt")))
        except ValueError as reason:
            skipped.append((path.name, str(reason)))
    if not samples:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped) or "it holds no folders"
        raise ValueError(f"samples: received {str(folder)!r} without one usable sample ({why})")
    return samples, skipped


def content_hash(samples: Sequence[Sample]) -> str:
    """sha256 over names, image bytes and prompts in order: the same wherever the folder lies."""
    rows = [[sample.name, hashlib.sha256(sample.image.read_bytes()).hexdigest(), sample.prompts] for sample in samples]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _usable_image(folder: Path) -> Path:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    candidates = [path for name in ("frame.jpg", "frame.png") for path in files if path.name == name]
    candidates += [path for suffix in (".jpg", ".png") for path in files if path.suffix.lower() == suffix]
    if not candidates:
        raise ValueError("no image (expected frame.jpg, frame.png, or any .jpg or .png)")
    from PIL import Image  # here, so that tracks and prompts load without an image library

    try:
        with Image.open(candidates[0]) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"unreadable image {candidates[0].name} ({error})") from error
    return candidates[0]


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a file in either form. Raises ValueError: no file, unreadable, empty, or more than a plain list."""
    if not path.is_file():
        raise ValueError(f"no {path.name}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"unreadable {path.name} ({error})") from error
    if _ASSIGNMENT.search(text):
        return _parse_assignment(text)
    prompts = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not prompts:
        raise ValueError(f"{path.name} is empty")
    return prompts


def _parse_assignment(text: str) -> tuple[str, ...]:
    """The strings of the one statement `prompts = [...]`; anything else in the file is refused, not run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # prose holds backslashes that are no escapes
            body = ast.parse(text.strip()).body
        if len(body) != 1 or not isinstance(body[0], ast.Assign):
            raise ValueError("more than one statement")
        value = ast.literal_eval(body[0].value)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"prompt.txt is not one plain list 'prompts = [\"...\", ...]' ({error})") from error
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"prompt.txt: received prompts = {value!r:.80}, expected a list of at least one string")
    if not all(isinstance(prompt, str) and prompt.strip() for prompt in value):
        raise ValueError("prompt.txt: expected a list of strings that are not empty")
    return tuple(prompt.strip() for prompt in value)
