"""Where training clips come from: the embedded world, or a folder of real videos. Nothing is drawn or decoded before it is read."""

import csv
import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch

from svi.data import world
from svi.data.open_video import OpenVideo
from svi.frames import Frames
from svi.method.draws import keyed
from svi.settings import DataSettings

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
HELD_BACK = 64  # first images to start films from, at most


class Clip(NamedTuple):
    """One training clip. frames [L, H, W, 3] uint8."""

    frames: Frames
    prompt: str


class Still(NamedTuple):
    """An image to start a film from. image [H, W, 3] uint8."""

    image: Frames
    prompt: str


class Unreadable(ValueError):
    """A clip that cannot be decoded: the file's name, and why."""

    def __init__(self, name: str, why: str) -> None:
        """Both are listed among the files that were skipped."""
        super().__init__(f"{name}: {why}")
        self.name, self.why = name, why


class Footage(Protocol):
    """A fixed list of clips, in an order that depends on settings and files alone."""

    fingerprint: str
    """Changes when any clip does: with settings (not those of the references), captions, names and sizes of the files."""
    skipped: list[tuple[str, str]]
    """Files that give no clip, as far as a look at their headers tells, and why."""

    def __len__(self) -> int: ...

    def prompt(self, i: int) -> str:
        """Caption of clip i, without decoding it."""

    def read(self, i: int) -> Clip:
        """Clip i. Raises Unreadable."""

    def references(self, i: int) -> Frames:
        """Alternative reference images of clip i. [K, H, W, 3]; raises Unreadable."""

    def held_back(self) -> list[Still]:
        """First images of what was kept from training, of at most HELD_BACK videos; unreadable ones are left out."""


def open_footage(settings: DataSettings) -> Footage:
    """What the settings name. Raises ValueError if a folder holds nothing usable."""
    return WorldFootage(settings) if settings.path is None else VideoFootage(Path(settings.path), settings)


class WorldFootage:
    """Clips of the embedded world. The references are frames of the clip's scene: the first, then each a clip's length later."""

    def __init__(self, settings: DataSettings) -> None:
        """Draws the scenes, renders none."""
        self.settings = settings
        self.skipped: list[tuple[str, str]] = []
        rng = np.random.default_rng(settings.seed)
        self.scenes = [world.draw_scene(rng, settings.height, settings.width) for _ in range(settings.clips)]
        self.fingerprint = _digest("world", settings.clip_frames, self.scenes)

    def __len__(self) -> int:
        return len(self.scenes)

    def prompt(self, i: int) -> str:
        return self.scenes[i].prompt

    def read(self, i: int) -> Clip:
        return Clip(world.render([self.scenes[i]] * self.settings.clip_frames), self.prompt(i))

    def references(self, i: int) -> Frames:
        """[K, H, W, 3]"""
        length = self.settings.clip_frames
        return world.render([self.scenes[i]] * ((self.settings.references - 1) * length + 1))[::length]

    def held_back(self) -> list[Still]:
        """None: the films of the embedded world start from scenes of their own."""
        return []


class Video(NamedTuple):
    """A usable file. frames: how many there are at the settings' rate; kept: how many of them are for training."""

    file: Path
    name: str
    prompt: str
    frames: int
    kept: int
    clips: int


class VideoFootage:
    """Clips of the real videos under root/<Category>/, captions from <Category>.csv beside them.

    Frames are taken at the settings' fps, cropped and resized. The end of each video (`hold_back`) is kept from training.
    """

    def __init__(self, root: Path, settings: DataSettings) -> None:
        """Looks at every file's header. Raises ValueError for a missing folder, a csv without its columns, no usable video."""
        if not root.is_dir():
            raise ValueError(
                f"data.path is {root}, which is not a folder; expected root/<Category>/<Category>.csv beside the videos"
            )
        self.settings = settings
        self.skipped: list[tuple[str, str]] = []
        self.videos: list[Video] = []
        for category in sorted(p for p in root.iterdir() if p.is_dir()):
            captions = read_captions(category)
            for file in sorted(p for p in category.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES):
                prompt = captions.get(file.name, f"A video from {category.name} category")
                self._look(file, f"{category.name}/{file.name}", prompt)
        if not self.videos:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.skipped) or "no video files found"
            raise ValueError(
                f"no usable video under {root} ({reasons}); expected root/<Category>/*.mp4 with <Category>.csv beside them"
            )
        s = settings
        shape = (s.height, s.width, s.fps, s.clip_frames, s.hop, s.hold_back)
        files = [(v.name, v.prompt, v.file.stat().st_size, v.clips) for v in self.videos]
        self.fingerprint = _digest("videos", shape, files)
        self._ends = list(accumulate(video.clips for video in self.videos))
        self._open: OpenVideo | None = None

    def _look(self, file: Path, name: str, prompt: str) -> None:
        """Note a file as usable, or as skipped."""
        length = self.settings.clip_frames
        try:
            frames = len(OpenVideo(file, self.settings))
        except ValueError as error:
            self.skipped.append((name, f"unreadable: {error}"))
            return
        held = max(int(frames * self.settings.hold_back), length) if self.settings.hold_back else 0
        kept = frames - held
        clips = len(range(0, kept - length + 1, self.settings.hop))
        if clips:
            self.videos.append(Video(file, name, prompt, frames, kept, clips))
        else:
            because = f" (data.hold_back keeps {held} from training)" if held else ""
            why = f"too short: {frames} frames at {self.settings.fps} fps, at least {length + held} are needed{because}"
            self.skipped.append((name, why))

    def __len__(self) -> int:
        return self._ends[-1]

    def _locate(self, i: int) -> tuple[Video, int]:
        """Video of clip i, and the clip's first frame."""
        v = bisect_right(self._ends, i)
        return self.videos[v], (i - self._ends[v] + self.videos[v].clips) * self.settings.hop

    def prompt(self, i: int) -> str:
        """From the csv, or the category's name."""
        return self._locate(i)[0].prompt

    def read(self, i: int) -> Clip:
        """Decoded now; the file stays open for the clips that follow."""
        video, start = self._locate(i)
        return Clip(self._decode(video, range(start, start + self.settings.clip_frames)), video.prompt)

    def references(self, i: int) -> Frames:
        """Frames of the video outside the clip, or of the clip (also where the video is no longer than that). [K, H, W, 3]"""
        video, start = self._locate(i)
        clip = range(start, start + self.settings.clip_frames)
        outside = [*range(start), *range(clip.stop, video.kept)]
        choice = outside if outside and self.settings.reference_from == "video" else clip
        order = torch.randperm(
            len(choice), generator=keyed("reference", self.settings.seed, video.name, start)
        ).tolist()
        return self._decode(video, [choice[order[k % len(order)]] for k in range(self.settings.references)])

    def held_back(self) -> list[Still]:
        """Of videos spread evenly over the folder."""
        stills = []
        videos = [v for v in self.videos if v.kept < v.frames]
        for i in range(min(HELD_BACK, len(videos))):
            video = videos[i * len(videos) // min(HELD_BACK, len(videos))]
            try:
                stills.append(Still(self._decode(video, [video.kept])[0], video.prompt))
            except Unreadable as error:
                self.skipped.append((error.name, error.why))
        return stills

    def _decode(self, video: Video, picks: Sequence[int]) -> Frames:
        if self._open is not None and self._open.file == video.file:
            try:
                return self._open.frames(picks)
            except ValueError:
                pass  # decord reads ahead: the error may be of frames further on, so that a fresh look is worth it
        self._open = None  # closed before the next one is opened
        try:
            opened = OpenVideo(video.file, self.settings)
            frames = opened.frames(picks)
        except ValueError as error:
            raise Unreadable(video.name, f"unreadable: {error}") from error
        self._open = opened
        return frames


def read_captions(category: Path) -> dict[str, str]:
    """Caption of each file, from <Category>.csv. Raises ValueError if the table lacks its columns or is not UTF-8."""
    table = category / f"{category.name}.csv"
    if not table.is_file():
        return {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:  # -sig: spreadsheets put a byte order mark in front
            reader = csv.DictReader(lines)
            found = reader.fieldnames or ()
            rows = list(reader)
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    missing = {"Filename", "Video Description"} - set(found)
    if missing:
        raise ValueError(
            f"{table} has no column {', '.join(sorted(missing))}; found {', '.join(found)}; "
            "expected Video Title, Video Description, Video URL, Download URL, Filename"
        )
    return {row["Filename"]: row["Video Description"] for row in rows if row["Video Description"]}


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
