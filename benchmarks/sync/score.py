"""Sync-C and Sync-D of a video, in two passes: the first finds faces and follows them, the second looks at them."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from benchmarks.arrays import Floats, Int16, UInt8
from benchmarks.films.video_file import VideoFile
from benchmarks.sync.agreement import Agreement, agreement, distances
from benchmarks.sync.audio import SAMPLES_A_FRAME, read_sound, windows
from benchmarks.sync.crop import crop, smoothed
from benchmarks.sync.faces import MIN_TRACK, FaceTrack, follow, usable, why_unusable
from benchmarks.sync.s3fd import FaceDetector
from benchmarks.sync.shots import Shots
from benchmarks.sync.syncnet import FEATURES, FRAMES, SyncEncoder
from benchmarks.sync.timeline import FPS, length, timeline

Detect = Callable[[UInt8], list[Floats]]
_BLOCK = 16  # frames
_BATCH = 16  # windows of SyncNet at once
_LEAST_TRACK = 12  # frames; few enough, and smoothing would shrink the face to nothing


@dataclass(frozen=True)
class SyncModels:
    """Both networks on one device."""

    faces: FaceDetector
    encoder: SyncEncoder

    @classmethod
    def load(cls, device: str | torch.device = "cpu") -> Self:
        """With the published weights (`benchmarks.sync.files`).

        Raises:
            ValueError: a weight file is missing or another one.
        """
        return cls(FaceDetector.load(device), SyncEncoder.load(device))


@dataclass(frozen=True, eq=False)
class SyncScore:
    """One video's scores; `sync_c`, `sync_d` and `offset` are NaN where `reason` says why there are none.

    With several face tracks each of the three is the mean over the tracks, as in LatentSync's evaluation; syncnet_python
    itself only lists the tracks. LatentSync leaves a video without a face out and cuts the mean offset to a whole
    number; here such a video counts as one without a score, and the mean stays as it is.

    `sync_c` is higher, `sync_d` lower if lips and sound agree; `offset` is how many frames at 25 fps the sound is ahead
    of the lips. `confidences`, float64 [F], is a curve over the video's F frames at 25 fps: each window's confidence
    stands at the middle one of its five frames, the mean over tracks where several have one, NaN elsewhere. `faces` is
    the number of face tracks.
    """

    sync_c: float
    sync_d: float
    offset: float
    confidences: Floats
    faces: int
    reason: str = ""


def score_sync(
    video: Path, audio: Path | None, models: SyncModels, detect: Detect | None = None, min_track: int = MIN_TRACK
) -> SyncScore:
    """The scores of the video at `video` with the sound of the file `audio`, None for the video's own.

    `detect` gives frames' face boxes as `FaceDetector` does, which it replaces if given. A face counts if it was found
    in more than `min_track` frames at 25 fps (LatentSync takes 50). The video is decoded twice; what is held are blocks
    of frames, the sound and its features (5 KB a frame of each face). The published pipeline saves its frames and crops as
    compressed files in between, so that its scores differ slightly from these.

    Warns if the sound ends before the video: what lies after it is not scored.

    Raises:
        ValueError: a video that cannot be read whole, no sound or less than one window of it, or `min_track` below 12.
    """
    if min_track < _LEAST_TRACK:
        raise ValueError(f"min_track: received {min_track} frames, expected at least {_LEAST_TRACK}")
    file = _open(video)
    sound = read_sound(audio or video, video)
    frames = length(file)
    _warn_of_short_sound(video, frames, sound)
    followed = _follow(file, detect or models.faces)
    tracks = usable(followed, min_track)
    scores = _agreements(file, tracks, sound, models.encoder)
    confidences = _curve(frames, tracks, scores)
    known = [score for score in scores if score is not None]
    if not known:
        nan = float("nan")
        reason = why_unusable(followed, min_track) or "no face is to be seen while there is sound"
        return SyncScore(nan, nan, nan, confidences, len(tracks), reason)
    return SyncScore(
        sync_c=float(np.mean([score.confidence for score in known])),
        sync_d=float(np.mean([score.distance for score in known])),
        offset=float(np.mean([score.offset for score in known])),
        confidences=confidences,
        faces=len(tracks),
    )


def _open(path: Path) -> VideoFile:
    with warnings.catch_warnings():
        # Of colour tags that VBench reads in two ways.
        warnings.simplefilter("ignore")
        return VideoFile.open(path)


def _warn_of_short_sound(video: Path, frames: int, sound: Int16) -> None:
    missing = frames - len(sound) // SAMPLES_A_FRAME
    if missing > 0:
        warnings.warn(
            f"video {video}: its sound ends after {len(sound) / SAMPLES_A_FRAME / FPS:.2f} s of {frames / FPS:.2f} s, so the "
            f"last {missing} frames (at {FPS} fps) are not scored",
            stacklevel=3,
        )


def _follow(video: VideoFile, detect: Detect) -> list[FaceTrack]:
    """The first pass: all tracks of faces on the video's timeline."""
    shots = Shots()
    boxes: list[Floats] = []
    for frames, times in timeline(video, _BLOCK):
        for frame, found, shown in zip(frames, detect(frames), times, strict=True):
            shots.feed(frame, shown)
            boxes += [found] * shown
    return follow(boxes, shots.slices())


def _agreements(
    video: VideoFile, tracks: Sequence[FaceTrack], sound: Int16, encoder: SyncEncoder
) -> list[Agreement | None]:
    """The second pass: each track's scores, None for one without a window of sound."""
    watched = [_Watched(track, sound, encoder) for track in tracks]
    number = 0
    for frames, times in timeline(video, _BLOCK):
        for frame, shown in zip(frames, times, strict=True):
            for _ in range(shown):
                for face in watched:
                    face.feed(number, frame)
                number += 1
    return [face.agreement() for face in watched]


class _Watched:
    """A track that is shown its frames and told its sound; holds the sound's features, distances and a batch of crops."""

    def __init__(self, track: FaceTrack, sound: Int16, encoder: SyncEncoder) -> None:
        self._track, self._encoder = track, encoder
        self._faces = smoothed(track)
        heard = windows(sound[track.start * SAMPLES_A_FRAME : track.end * SAMPLES_A_FRAME], len(track.boxes))
        batches = [heard[start : start + _BATCH] for start in range(0, len(heard), _BATCH)]
        self._sound = torch.cat([torch.empty(0, FEATURES), *(encoder.listen(batch) for batch in batches)])
        self._distances: list[Tensor] = []
        self._seen = 0  # windows
        self._crops: list[UInt8] = []

    def feed(self, number: int, frame: UInt8) -> None:
        """The video's frame `number`, which need not be the track's."""
        row = number - self._track.start
        last = len(self._sound) + FRAMES - 2  # row of the last window's last frame
        if not (len(self._sound) and 0 <= row <= last):
            return
        self._crops.append(crop(frame, self._faces[row]))
        if len(self._crops) == _BATCH + FRAMES - 1 or row == last:
            lips = self._encoder.look(np.stack(self._crops))
            self._distances.append(distances(lips, self._sound, self._seen))
            self._seen += len(lips)
            self._crops = self._crops[-(FRAMES - 1) :]

    def agreement(self) -> Agreement | None:
        return agreement(torch.cat(self._distances)) if self._distances else None


def _curve(frames: int, tracks: Sequence[FaceTrack], scores: Sequence[Agreement | None]) -> Floats:
    """The mean over tracks of their curves, each window at its middle frame, float64 [frames]."""
    total, count = np.zeros(frames), np.zeros(frames)
    for track, score in zip(tracks, scores, strict=True):
        if score is not None:
            middle = track.start + FRAMES // 2
            total[middle : middle + len(score.curve)] += score.curve
            count[middle : middle + len(score.curve)] += 1
    total[count == 0] = np.nan
    return total / np.maximum(count, 1)
