"""Samples: an image and its prompts, from a folder in the layout of the authors' benchmark.

A sample is a folder with an image (frame.jpg, else frame.png, else the first jpg, else the first png) and a
`prompt.txt` that holds `prompts = ["...", ...]` or the list alone (SVI 2.0), else one prompt a line.
Prompt files are data: parsed, never executed.

The authors' benchmark (vita-video-gen/svi-benchmark on the hub) has a folder of samples a track. A link that leads out of
the folder is not followed, except into the hub's own cache: a sample from elsewhere must not publish a private file.
"""

import ast
import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.artifacts import IMAGES, PROMPTS
from benchmarks.track import Track

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BUNDLED = "bundled"  # where a folder of samples is asked for: those that come with the harness
MAX_WIDTH, MAX_WIDTH_CONDITIONAL = 832, 640  # pixels of a film's width, at most
MULTIPLE = 16  # both sides of a film, pixels
SHOWN = 3  # of the folders that are no samples, where none is
NAME_BYTES = 200  # a name is part of file names, which end at 255
_LONG, _SPELLED, _CORRECT = "creative_video_gen_longer", "consisent_video_gen", "consistent_video_gen"
_AUTHORS = (_SPELLED, _CORRECT, "creative_video_gen", _LONG, "customized_dataset")
_CODE = "__pycache__"  # beside the bundled samples
_JPG, _PNG = (".jpg", ".jpeg"), (".png",)
# A list of strings, assigned or bare, behind any comments; "[wide shot] a cat" is a prompt like any other.
_LIST = re.compile(r"^\s*prompts\s*=|\A(?:\s*#.*\n)*\s*\[\s*(?:[\"'#\]]|\Z)", re.MULTILINE)


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
        if not self.name.isprintable() or len(self.name.encode()) > NAME_BYTES:
            raise ValueError(
                f"sample name: received {self.name!r:.80}, expected printable letters of at most {NAME_BYTES} bytes"
            )
        if not self.prompts:
            raise ValueError(f"sample {self.name!r}: received no prompts, expected at least one")

    def size(self, track: Track, multiple: int = MULTIPLE) -> tuple[int, int]:
        """Height and width that the authors make a film of this sample at; `multiple` where a model needs a larger one.

        Raises:
            ValueError: the image is smaller than that.
        """
        from PIL import Image

        try:
            with Image.open(self.image) as image:
                return film_size(*image.size, MAX_WIDTH_CONDITIONAL if track.condition else MAX_WIDTH, multiple)
        except ValueError as error:
            raise ValueError(f"sample {self.name!r}: {error}") from error


def film_size(width: int, height: int, max_width: int = MAX_WIDTH, multiple: int = MULTIPLE) -> tuple[int, int]:
    """Height and width of a film from an image: scaled down to the largest width, both sides floored to a multiple.

    Source: the authors' code, whose product in floating point decides where an exact height would be a multiple.

    Raises:
        ValueError: a side that is shorter than `multiple` then.
    """
    scaled = (height, width) if width <= max_width else (int(max_width * (height / width)), max_width)
    size = (scaled[0] // multiple * multiple, scaled[1] // multiple * multiple)
    if min(size) < multiple:
        raise ValueError(
            f"image: received {width} x {height} pixels, expected at least {multiple} a side at a width of {scaled[1]}"
        )
    return size


def samples_folder(path: str | Path, track: Track | None = None) -> Path:
    """The folder of the track's samples: its part of the authors' benchmark, else `path` itself; "bundled": ours.

    Raises:
        ValueError: the authors' benchmark without the track's part.
    """
    if str(path) == BUNDLED:
        return Path(__file__).with_name(BUNDLED)
    root = Path(path)
    if track is None:
        return root
    names = _names(track)
    for name in names:
        found = root / name
        if found.is_dir() and (track.condition is None or any(part.is_dir() for part in found.iterdir())):
            return found
    if present := [name for name in _AUTHORS if (root / name).is_dir()]:
        expected = " or ".join(names)
        raise ValueError(
            f"samples for track {track.name!r}: received {str(root)!r} with {', '.join(present)}, expected {expected} there"
        )
    return root


def _names(track: Track) -> tuple[str, ...]:
    """The track's folder in the authors' benchmark; theirs is misspelled."""
    if track.condition is not None:
        return ("talk",) if track.condition == "audio" else ("dance",)
    if track.kind == "consistent":
        return _SPELLED, _CORRECT
    return ("creative_video_gen",) if track.seconds <= 50 else (_LONG,)


def load_samples(path: str | Path, track: Track | None = None) -> tuple[list[Sample], list[tuple[str, str]]]:
    """The usable samples of `samples_folder(path, track)`, sorted by name, and (name, reason) of every folder that is none.

    Raises:
        ValueError: the folder does not exist, or no sample in it is usable.
    """
    folder = samples_folder(path, track)
    if not folder.is_dir():
        raise ValueError(f"samples: received {str(folder)!r}, expected an existing folder with one folder a sample")
    samples: list[Sample] = []
    skipped: list[tuple[str, str]] = []
    allowed = _allowed(folder)
    for path in sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != _CODE
    ):
        try:
            _require_inside(path, allowed)
            _require_inside(path / PROMPTS, allowed)
            samples.append(Sample(path.name, _usable_image(path, allowed), read_prompts(path / PROMPTS)))
        except ValueError as reason:
            skipped.append((path.name, str(reason)))
    if not samples:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped[:SHOWN]) or "it holds no folders"
        why += f"; and {len(skipped) - SHOWN} more" if len(skipped) > SHOWN else ""
        raise ValueError(f"samples: received {str(folder)!r} without one usable sample ({why})")
    return samples, skipped


def content_hash(samples: Sequence[Sample]) -> str:
    """sha256 over names, image bytes and prompts in order: the same wherever the folder lies."""
    return _hash((sample.name, sample.image.read_bytes(), sample.prompts) for sample in samples)


def starts_hash(starts: Sequence[tuple[str, "npt.NDArray[np.uint8]", Sequence[str]]]) -> str:
    """The same for films that start from pixels: (name, image [H, W, 3], prompts) of each, the image's shape included."""
    return _hash((name, repr(image.shape).encode() + image.tobytes(), prompts) for name, image, prompts in starts)


def _hash(samples: Iterable[tuple[str, bytes, Sequence[str]]]) -> str:
    rows = [[name, hashlib.sha256(image).hexdigest(), list(prompts)] for name, image, prompts in samples]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _allowed(folder: Path) -> list[Path]:
    """Where a sample's files may lie: in the folder, or where the hub's cache keeps what its snapshots link to."""
    root = folder.resolve()
    return [root, *(parent.parent / "blobs" for parent in root.parents if parent.name == "snapshots")]


def _require_inside(path: Path, allowed: Sequence[Path]) -> None:
    if not any(path.resolve().is_relative_to(root) for root in allowed):
        raise ValueError(f"{path.name} is a link out of the folder of samples, which is not followed")


def _usable_image(folder: Path, allowed: Sequence[Path]) -> Path:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    candidates = [path for name in IMAGES for path in files if path.name == name]
    candidates += [path for suffixes in (_JPG, _PNG) for path in files if path.suffix.lower() in suffixes]
    if not candidates:
        raise ValueError(f"no image (expected {', '.join(IMAGES)}, or any .jpg or .png)")
    _require_inside(candidates[0], allowed)
    from PIL import Image  # here, so that tracks and prompts load without an image library

    try:
        with Image.open(candidates[0]) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"unreadable image {candidates[0].name} ({error})") from error
    return candidates[0]


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a file in any form. Raises ValueError: no file, unreadable, empty, or more than a plain list."""
    text = _text(path)
    if _LIST.search(text):
        return _parse_list(path.name, text)
    prompts = tuple(prompt_lines(text.splitlines()))
    if not prompts:
        raise ValueError(f"{path.name} is empty")
    return prompts


def is_list(path: Path) -> bool:
    """Whether a file of prompts holds a list, not lines. Raises ValueError: no file, or unreadable."""
    return _LIST.search(_text(path)) is not None


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"no {path.name}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"unreadable {path.name} ({error})") from error
    if "\0" in text:
        raise ValueError(f"{path.name} holds a NUL, so it is no text; save it as UTF-8")
    return text


def prompt_lines(lines: Iterable[str]) -> list[str]:
    """The prompts among lines: all but empty ones and the authors' comments."""
    return [line for line in map(str.strip, lines) if line and not line.startswith("#")]


def _parse_list(file: str, text: str) -> tuple[str, ...]:
    """The strings of the one statement `prompts = [...]`, or of the list alone; anything else is refused, not run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # prose holds backslashes that are no escapes
            body = ast.parse(text.strip()).body
        if len(body) != 1 or not isinstance(body[0], ast.Assign | ast.Expr):
            raise ValueError("more than one statement")
        value = ast.literal_eval(body[0].value)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(
            f"{file} is not one plain list 'prompts = [\"...\", ...]', with or without its name ({error}); close every quote and "
            "bracket, or write one prompt a line"
        ) from error
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{file}: received {value!r:.80}, expected a list of at least one string")
    if not all(isinstance(prompt, str) and prompt.strip() for prompt in value):
        raise ValueError(f"{file}: expected a list of strings that are not empty")
    prompts = tuple(prompt.strip() for prompt in value)
    if not all(map(_sayable, prompts)):
        raise ValueError(
            f"{file}: received a prompt with a NUL or half a letter in it, expected text; write letters as they are"
        )
    return prompts


def _sayable(prompt: str) -> bool:
    """Whether it can be written down: an escape such as \\ud800 in a list makes half a letter."""
    try:
        return b"\0" not in prompt.encode()
    except UnicodeEncodeError:
        return False
