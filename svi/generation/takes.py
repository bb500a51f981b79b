"""Takes: clips of one film that are kept, each under a name that says what it was made from, so that none is made twice.

A film is a chain of takes. A take's name holds the name of the one before, so a change of prompt or seed gives other names from
there on, and those before it are found again. Taking another prompt back finds the old takes too.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np

from svi.disk import HALF, flush, replacing
from svi.frames import Frames
from svi.generation.opening import Colours
from svi.generation.video import read_lossless, write_lossless, write_mp4
from svi.settings import GenerateSettings

FRAMES, PAST, LINK = "frames.mkv", "past.npz", "link.json"
OLD = 24 * 3600  # seconds


@dataclass(frozen=True)
class Link:
    """What a clip is made from besides those before it: its prompt, the seed of its noise, and a `root`.

    The root names all the rest: model, settings, start image; later prompts too, where clips know of them.
    """

    root: str
    prompt: str
    seed: int


def links_of(prompts: Sequence[str], settings: GenerateSettings, root: str) -> list[Link]:
    """Of a film with one prompt a clip, as settings say what becomes of them."""
    return [Link(root, prompt_of(prompts, clip, settings), seed_of(clip, settings)) for clip in range(len(prompts))]


def prompt_of(prompts: Sequence[str], clip: int, settings: GenerateSettings) -> str:
    """One a clip, or the first for all."""
    return prompts[0 if settings.prompts == "first" else clip]


def seed_of(clip: int, settings: GenerateSettings) -> int:
    """Of the noise that a clip begins from (a fixed one accumulates artefacts, say the authors)."""
    return settings.seed + clip * settings.seed_stride


def names(links: Sequence[Link]) -> list[str]:
    """The takes that a film of these clips consists of, as 64 hexadecimal digits each."""
    found, before = list[str](), ""
    for link in links:
        before = hashlib.sha256(json.dumps([before, *astuple(link)]).encode()).hexdigest()
        found.append(before)
    return found


class Takes:
    """A folder of takes, of any number of films; a take is whole or not there, and never changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._latest: tuple[str, Frames] | None = None  # of what was just made: its film shows it next

    def __contains__(self, name: str) -> bool:
        return self._take(name).is_dir()

    def keep(self, name: str, link: Link, frames: Frames, past: Mapping[str, np.ndarray]) -> None:
        """A clip [L, H, W, 3] uint8, and what the next one needs of the past. Where it is there already, that one stays.

        Raises OSError.
        """
        fresh = self.folder / f".{token_hex(8)}{HALF}"
        fresh.mkdir(parents=True)
        try:
            write_lossless(fresh / FRAMES, frames)
            kept: dict[str, Any] = dict(past)
            np.savez(fresh / PAST, **kept)
            (fresh / LINK).write_text(json.dumps(asdict(link)))
            for file in fresh.iterdir():
                flush(file)
            try:
                fresh.rename(self._take(name))
                self._latest = (name, frames)
            except OSError:
                if name not in self:  # else another film has just made it
                    raise
            flush(self.folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what killed writers left a day ago or longer: a younger one may still be written."""
        for half in self.folder.glob(f".*{HALF}"):
            with suppress(OSError):
                if time.time() - half.stat().st_mtime > OLD:
                    shutil.rmtree(half)

    def frames(self, name: str) -> Frames:
        """The clip, [L, H, W, 3] uint8. The one that was kept last is still at hand."""
        if self._latest is not None and self._latest[0] == name:
            return self._latest[1]
        return read_lossless(self._take(name) / FRAMES)

    def past(self, name: str) -> dict[str, np.ndarray]:
        """What the clip after it needs."""
        with np.load(self._take(name) / PAST) as kept:
            return {key: kept[key] for key in kept.files}

    def segment(self, name: str, shown: slice, fps: int, behind: Colours | None = None) -> Path:
        """An mp4 of these frames of the clip, made when it is first asked for; `behind`: as `write_mp4` takes it."""
        place = f"-behind-{'-'.join(map(str, behind))}" if behind else ""
        file = self._take(name) / f"{shown.start}-{shown.stop}-at-{fps}{place}.mp4"
        if not file.is_file():
            frames = self.frames(name)[shown]
            with replacing(file) as fresh:
                write_mp4(fresh, frames, fps, *frames.shape[1:3], behind=behind)
        return file

    def _take(self, name: str) -> Path:
        return self.folder / name[:32]
