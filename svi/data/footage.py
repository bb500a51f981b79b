"""Where training clips come from: the embedded world, or a folder of real videos. Nothing is drawn or decoded before it is read."""

import hashlib
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from svi.course import Course
from svi.data import world
from svi.data.folder import LAYOUT, VideoFile, video_files
from svi.data.open_video import OpenVideo
from svi.data.worlds import WORLDS
from svi.frames import Frames
from svi.method.draws import keyed
from svi.settings import DataSettings

Arrays = Mapping[str, NDArray[np.generic]]
SHOWN = 3  # of the videos that none could be used of
HELD_BACK = 64  # first images to start films from, at most


class Clip(NamedTuple):
    """One training clip. frames [L, H, W, 3] uint8; what it is given of signals, by key."""

    frames: Frames
    prompt: str
    signals: Mapping[str, torch.Tensor] = MappingProxyType({})


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
    notes: list[str]
    """What else a person should know of the clips."""
    files: int
    """How many videos they are cut from; 0 of the embedded world."""

    def __len__(self) -> int: ...

    def prompt(self, i: int) -> str:
        """Caption of clip i, without decoding it."""

    def read(self, i: int) -> Clip:
        """Clip i. Raises Unreadable."""

    def references(self, i: int) -> Frames:
        """Alternative reference images of clip i. [K, H, W, 3]; raises Unreadable."""

    def room(self, i: int) -> int:
        """By how many frames a training clip of the same video may begin later than clip i."""

    def later(self, i: int, frames: int) -> Clip:
        """The clip that begins so many frames later, at most `room(i)`. Raises Unreadable."""

    def reversed_prompt(self, i: int) -> str:
        """What names the motion of clip i backwards in time. Raises ValueError where no rule turns a caption around."""

    def held_back(self) -> list[Still]:
        """First images of what was kept from training, of at most HELD_BACK videos; unreadable ones are left out.

        The last images of what was trained on, where all of it was needed for that.
        """


class Scenes(Protocol):
    """Scenes of the embedded world that follow a signal; whoever names a film by the same key sees the same."""

    def prompt(self, scene: world.Scene) -> str:
        """What such a scene is called."""

    def play(self, scene: world.Scene, key: str, frames: int, fps: int) -> Iterator[Frames]:
        """The true film, frame by frame, [H, W, 3] uint8."""

    def course(self, scene: world.Scene, key: str, frames: int, fps: int) -> Course:
        """What that film follows."""

    def truth(self, scene: world.Scene, key: str, frames: int, fps: int) -> Arrays:
        """What scores may know of it (benchmarks.films.film.Truth), as arrays by name."""


def open_footage(settings: DataSettings, moved: Scenes | None = None) -> Footage:
    """What the settings name; `moved`: what the embedded world follows. Raises ValueError if a folder holds nothing usable."""
    if settings.path is None:
        return WorldFootage(settings, moved)
    return VideoFootage(Path(settings.path), settings)


class WorldFootage:
    """Clips of the embedded world. The references are frames of the clip's scene: the first, then each a clip's length later."""

    def __init__(self, settings: DataSettings, moved: Scenes | None = None) -> None:
        """Draws the scenes, renders none. `moved`: the signal that each of them follows."""
        self.settings, self.moved = settings, moved
        self.skipped: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.files = 0
        rng, self.world = np.random.default_rng(settings.seed), WORLDS[settings.world]
        self.scenes: list[Any] = [
            self.world.draw_scene(rng, settings.height, settings.width) for _ in range(settings.clips)
        ]
        world_of = () if moved is None else (type(moved).__qualname__,)
        self.fingerprint = _digest("world", settings.clip_frames, self.scenes, *world_of)

    def __len__(self) -> int:
        return len(self.scenes)

    def prompt(self, i: int) -> str:
        return self.scenes[i].prompt if self.moved is None else self.moved.prompt(self.scenes[i])

    def read(self, i: int) -> Clip:
        length = self.settings.clip_frames
        if self.moved is None:
            return Clip(self.world.render([self.scenes[i]] * length), self.prompt(i))
        film = self._film(i, 3 * length)
        frames = islice(self.moved.play(*film), length, 2 * length)  # most clips have neighbours on both sides
        course = self.moved.course(*film)
        return Clip(np.stack(list(frames)), self.prompt(i), {course.key: course.clip(length, length)})

    def _film(self, i: int, frames: int) -> tuple[Any, str, int, int]:
        """What moves in a clip's film, which begins a clip's length before it; the first frames are the same for any number."""
        return self.scenes[i], f"{self.settings.seed} clip {i}", frames, self.settings.fps

    def references(self, i: int) -> Frames:
        """[K, H, W, 3]"""
        length, count = self.settings.clip_frames, self.settings.references
        if self.moved is None:
            return self.world.render([self.scenes[i]] * ((count - 1) * length + 1))[::length]
        frames = self.moved.play(*self._film(i, (count + 1) * length))
        return np.stack(list(islice(frames, length, None, length)))

    def room(self, i: int) -> int:
        """A scene has no end."""
        return sys.maxsize

    def later(self, i: int, frames: int) -> Clip:
        """The object where it is by then."""
        return Clip(self.world.render([self.scenes[i].later(frames)] * self.settings.clip_frames), self.prompt(i))

    def reversed_prompt(self, i: int) -> str:
        """The opposite direction, all else as it is."""
        prompt: str = self.scenes[i].reversed.prompt
        return prompt

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
    """Clips of a folder of real videos (folder.py).

    Frames are taken at the settings' fps, cropped and resized. The end of each video (`hold_back`) is kept from training where
    what remains is long enough for a clip.
    """

    layout = LAYOUT  # of its folder, for messages

    def __init__(self, root: Path, settings: DataSettings, files: Sequence[VideoFile] | None = None) -> None:
        """Looks at the header of every file, of all videos in the folder where none are given.

        Raises ValueError as `video_files` does, and for no usable video.
        """
        self.settings = settings
        self.skipped: list[tuple[str, str]] = []
        self.videos: list[Video] = []
        files = video_files(root) if files is None else files
        for file in files:
            self._look(file)
        if not self.videos:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.skipped[:SHOWN])
            reasons += f"; and {len(self.skipped) - SHOWN} more" if len(self.skipped) > SHOWN else ""
            raise ValueError(f"no usable video in {root} ({reasons}); expected {self.layout}")
        self.files = len(self.videos)
        self.notes = list(self._notes(sum(not file.captioned for file in files)))
        s = settings
        shape = (s.height, s.width, s.fps, s.clip_frames, s.hop, s.hold_back)
        usable = [(v.name, v.prompt, v.file.stat().st_size, v.clips) for v in self.videos]
        self.fingerprint = _digest("videos", shape, usable)
        self._ends = list(accumulate(video.clips for video in self.videos))
        self._open: OpenVideo | None = None

    def _look(self, file: VideoFile) -> None:
        """Note a file as usable, or as skipped."""
        s, length = self.settings, self.settings.clip_frames
        try:
            frames = len(OpenVideo(file.path, s))
        except ValueError as error:
            self.skipped.append((file.name, f"unreadable: {error}"))
            return
        if frames < length:
            why = f"too short: {frames} frames at {s.fps} fps, and a clip has data.clip_frames={length}"
            self.skipped.append((file.name, why))
            return
        held = max(int(frames * s.hold_back), length) if s.hold_back else 0
        kept = frames - held if frames - held >= length else frames
        clips = len(range(0, kept - length + 1, s.hop))
        self.videos.append(Video(file.path, file.name, file.prompt, frames, kept, clips))

    def _notes(self, without_caption: int) -> Iterator[str]:
        """That captions are missing, and that videos are too short to be shared between training and films."""
        if without_caption:
            yield f"{without_caption} videos have no caption: a csv with Filename and Video Description beside them gives them one"
        whole = [video for video in self.videos if video.kept == video.frames]
        if self.settings.hold_back and whole:
            yield (
                f"{len(whole)} of {len(self.videos)} videos are trained on whole: shorter than two clips, "
                "they leave no end to hold back"
            )
        if self.settings.hold_back and len(whole) == len(self.videos):
            yield "films start from the last frames of these videos; eval.path=FOLDER starts them from others"

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
        return self.later(i, 0)

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

    def room(self, i: int) -> int:
        """Up to the end that is held back."""
        video, start = self._locate(i)
        return video.kept - self.settings.clip_frames - start

    def later(self, i: int, frames: int) -> Clip:
        """Decoded now; the file stays open for the clips that follow."""
        video, start = self._locate(i)
        start += frames
        return Clip(self._decode(video, range(start, start + self.settings.clip_frames)), video.prompt)

    def reversed_prompt(self, i: int) -> str:
        """Never: captions are free text."""
        raise ValueError(
            f"the caption {self.prompt(i)!r} names a motion in words of its own, which no rule turns around; "
            "the embedded world's prompts name a direction (leave data.path out)"
        )

    def held_back(self) -> list[Still]:
        """Of videos spread evenly over the folder."""
        if not self.settings.hold_back:
            return []
        stills = []
        videos = [v for v in self.videos if v.kept < v.frames] or self.videos
        for i in range(min(HELD_BACK, len(videos))):
            video = videos[i * len(videos) // min(HELD_BACK, len(videos))]
            try:
                stills.append(Still(self._decode(video, [min(video.kept, video.frames - 1)])[0], video.prompt))
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


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
