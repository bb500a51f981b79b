"""Films in the making, on disk: what is shown of each clip, the hand-off to the next one, and in the end one file a film."""

import io
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from svi.artifacts import FRAMES, VIDEOS
from svi.course import Course
from svi.disk import flush, founding, write_whole
from svi.frames import Frames
from svi.generation.sound import Sound
from svi.generation.video import TO_BE_SEEN, enlargement, join_mp4, write_mp4

WORK, HANDOFF, FIRST = "films", "handoff.npz", "first.npy"  # gone once the films are whole
NAMES, CLIP = "names", "clip"  # in the hand-off, beside what the loop keeps


@dataclass(frozen=True)
class Script:
    """What one film is made from: image [H, W, 3] uint8 and one prompt a clip. The name becomes its file's.

    `signal`: what it follows frame by frame; `sound`: a file whose sound is heard with it, from its first frame to its last
    (svi/generation/sound.py). `before`: what a film of takes goes on from, a clip's frames [L, H, W, 3] uint8; the image is then a
    reference alone.
    """

    name: str
    image: Frames
    prompts: tuple[str, ...]
    signal: Course | None = None
    sound: Path | None = None
    before: Frames | None = None


@dataclass(frozen=True)
class Handoff:
    """The index of the next clip, and what its loop needs of the past."""

    clip: int
    past: Mapping[str, np.ndarray]


class Reel:
    """Films made side by side: films/<name>/00000.mp4 and so on, then videos/<name>.mp4.

    A film whose mp4 is only to be seen is encoded once it is whole: a segment a clip costs an encoder's start each.
    The hand-off lies in the first film's folder and is written after the segments of all films: an interruption costs at most
    the clip under way, whose segments are then overwritten.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        fps: int,
        rows: Sequence[int] | None = None,
        sounds: Sequence[Sound | None] | None = None,
    ) -> None:
        """`rows` of frames.npy are these films'; None: there is no such array. `sounds`: one a film; None: all are silent.

        Raises ValueError for names no file can have.
        """
        for name in names:
            if name in ("", ".", "..") or any(mark in name for mark in "/\\\0"):
                raise ValueError(f"name of a film: received {name!r}, expected a plain file name (it names its mp4)")
        self.names, self.fps, self.rows, self._array = list(names), fps, rows, folder / FRAMES
        self._sounds = sounds or [None] * len(names)
        self._work = [folder / WORK / name for name in names]
        self._videos = [folder / VIDEOS / f"{name}.mp4" for name in names]

    @property
    def done(self) -> bool:
        """Whether every film is whole."""
        return all(video.is_file() for video in self._videos)

    def resume(self) -> Handoff | None:
        """After the last clip that all films have; None if there is none, or the films were grouped in another way."""
        file = self._work[0] / HANDOFF
        if not file.is_file():
            return None
        with np.load(file) as saved:
            if saved[NAMES].tolist() != self.names:
                return None
            past = {name: saved[name] for name in saved.files if name not in (NAMES, CLIP)}
            return Handoff(int(saved[CLIP]), past)

    def keep(self, first: Frames) -> None:
        """The clip that all segments repeat, [S, L, H, W, 3]; it goes when the films are whole."""
        self._work[0].mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.save(content, first)
        write_whole(self._work[0] / FIRST, content.getvalue())

    def kept(self) -> Frames:
        """What `keep` was given, on disk."""
        first: Frames = np.load(self._work[0] / FIRST, mmap_mode="r")
        return first

    def write(self, frames: Frames, begin: int, handoff: Handoff) -> None:
        """What the films show of the clip before `handoff.clip`, [S, F, H, W, 3] from frame `begin` on; then the hand-off."""
        for folder in self._work:
            _make(folder)
        for film, (shown, folder) in enumerate(zip(frames, self._work, strict=True)):
            if not self._only_seen(film, shown):
                segment = _segment(folder, handoff.clip - 1)
                write_mp4(segment, shown, self.fps, *shown.shape[1:3])
                flush(segment)  # before the hand-off says that it is there: a power cut may come
                flush(folder)
        if self.rows is not None:  # mapped for this moment alone: its pages would count as memory
            whole = np.lib.format.open_memmap(self._array, mode="r+")
            whole[self.rows, begin : begin + frames.shape[1]] = frames
            whole.flush()
        content = io.BytesIO()
        kept: dict[str, Any] = {**handoff.past, NAMES: self.names, CLIP: handoff.clip}
        np.savez(content, **kept)
        write_whole(self._work[0] / HANDOFF, content.getvalue())

    def finish(self, clips: int) -> None:
        """One file a film, of its segments without encoding again; they go once every film is whole."""
        if not self.done:
            self._videos[0].parent.mkdir(exist_ok=True)
            for film, (video, sound) in enumerate(zip(self._videos, self._sounds, strict=True)):
                join_mp4(video, self._segments(film, clips), sound)
        for folder in self._work:
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # others are in it
            self._work[0].parent.rmdir()

    def _segments(self, film: int, clips: int) -> list[Path]:
        """Of one film, in order; of one that is only to be seen it is one, written now."""
        if self.rows is not None:
            frames = np.load(self._array, mmap_mode="r")[self.rows[film]]
            if self._only_seen(film, frames):
                whole = _segment(self._work[film], 0)
                write_mp4(whole, frames, self.fps, *frames.shape[1:3], preset=TO_BE_SEEN)
                return [whole]
        return [_segment(self._work[film], clip) for clip in range(clips)]

    def _only_seen(self, film: int, frames: Frames) -> bool:
        """Whether a person alone reads the mp4 of these frames [F, H, W, 3]: they are kept, and are too small for models of
        photographs; but SyncNet reads every film that is heard."""
        return self.rows is not None and enlargement(*frames.shape[1:3]) > 1 and self._sounds[film] is None


def reels(
    folder: Path, scripts: Sequence[Script], n_frames: int, fps: int, together: int, lossless: bool
) -> list[tuple[list[int], Reel]]:
    """The films that are made side by side, as indices into `scripts`, and their reels; makes frames.npy where it is asked for.

    Raises ValueError for names that no file can have or that are twice there, for films of several sizes that one array shall
    hold, and for a file without sound that shall be a film's.
    """
    names = [script.name for script in scripts]
    if len(set(names)) < len(names):
        raise ValueError(f"films: received names {', '.join(names)}; expected different names")
    shapes = sorted({script.image.shape for script in scripts})
    if lossless and len(shapes) > 1:
        raise ValueError(
            f"films: received images {shapes}, expected one size where {FRAMES} keeps the frames of all films"
        )
    sounds = [None if script.sound is None else Sound(script.sound) for script in scripts]
    if lossless and not (folder / FRAMES).is_file():
        with founding(folder / FRAMES) as fresh:  # other processes may begin their films in it
            np.lib.format.open_memmap(fresh, mode="w+", dtype=np.uint8, shape=(len(scripts), n_frames, *shapes[0]))
    return [
        (
            rows,
            Reel(folder, [names[row] for row in rows], fps, rows if lossless else None, [sounds[row] for row in rows]),
        )
        for rows in groups(scripts, together)
    ]


def groups(scripts: Sequence[Script], together: int) -> list[list[int]]:
    """Indices of scripts whose images have one size, at most `together` at once; sizes in the order they first come."""
    by_size: dict[tuple[int, ...], list[int]] = {}
    for row, script in enumerate(scripts):
        by_size.setdefault(script.image.shape, []).append(row)
    return [rows[at : at + together] for rows in by_size.values() for at in range(0, len(rows), together)]


def _make(folder: Path) -> None:
    """Another process may remove the folder above between two looks, when it was the last one in it."""
    while True:
        with suppress(FileNotFoundError):
            folder.mkdir(parents=True, exist_ok=True)
            return


def _segment(folder: Path, clip: int) -> Path:
    return folder / f"{clip:05d}.mp4"
