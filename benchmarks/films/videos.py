"""Videos that any method made, as films of a track: checked before they are scored."""

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

from benchmarks.films.film import Film, Need
from benchmarks.films.layouts import videos_of
from benchmarks.films.mp4 import Mp4Frames
from benchmarks.films.reference import ReferenceFolder
from benchmarks.films.video_file import VideoFile
from benchmarks.track import Track, track_of_length, windows

_SHOWN = 5
_OTHER_VIDEOS = (".mov", ".webm", ".mkv", ".avi")


class VideoFolder:
    """The mp4s of a folder in windows of 5 s: those of `samples`, by the names and the content hash of a sample list, or all
    of them, sorted by name, whose list is then known by the names alone. An output folder of a project that `layouts` knows is
    taken as it is; of several sizes and rates in it the most frequent ones are, and without a `track` none that is far too short.

    Those of named samples may differ in size, as the samples' images do. Without a `track` they are films of the one that they
    last as long as (`track_of_length`): `scored_as`. `by_name` is whether the names alone tell this list from another, `project`
    whose folder it was recognised as, `prompts` what is known of its samples' prompts, `notes` what is unusual about the videos,
    but can be scored.

    Raises:
        ValueError: videos that cannot be scored together, with everything that is off: no video, one that is cut off or too
            short for the track, several frame rates or sizes, another rate than the track's, a sample without its video.
    """

    def __init__(
        self,
        folder: Path,
        track: Track | None,
        samples: tuple[Sequence[str], str] | None = None,
        reference: ReferenceFolder | None = None,
    ) -> None:
        if not folder.is_dir():
            raise ValueError(f"videos: received {str(folder)!r}, expected a folder of mp4 files")
        found, known = videos_of(folder, None if samples is None else samples[0])
        told = list(known.told()) if known else []
        if known and samples is None:
            found, unlike = _most_alike(found, any_length=track is None)
            told += unlike
        self.project, self.prompts = known.project if known and not known.alike else "", known.prompts if known else {}
        self.names, self.samples_hash, self.by_name = list(found), _hash_of_names(list(found)), samples is None
        if samples is not None:
            self.names, self.samples_hash = list(samples[0]), samples[1]
        if not self.names:
            raise ValueError(f"videos: received {str(folder)!r} without an .mp4 in it, expected one for each sample")
        self._reference = reference
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self._files = _opened(folder, found, self.names, track, one_size=self.by_name)
            if track is None:
                track = track_of_length(min(file.seconds for file in self._files))
                told.append(f"scored as {track.name}, which they last as long as (--track names another)")
            if reference is not None:
                shapes = [(file.frames, file.height, file.width, 3) for file in self._files]
                reference.check(dict(zip(self.names, shapes, strict=True)), self._files[0].fps)
        self.scored_as = track
        self.track, self.track_version, self.fps = track.name, track.version, self._files[0].fps
        self._clips = [windows(track, file.frames, file.fps) for file in self._files]
        self.notes = [
            *told,
            *_longer(self._files, track),
            *_names(self.by_name, sorted(set(found) - set(self.names))),
            *_not_mp4(folder),
            *_warned([str(one.message) for one in caught]),
        ]

    @property
    def resolutions(self) -> list[tuple[int, int]]:
        """Every height and width in pixels that there is, each once, in order."""
        return sorted({(file.height, file.width) for file in self._files})

    def missing(self, need: Need) -> str | None:
        """Why the videos cannot serve a metric with that need."""
        if need == "continuation" and self._reference is not None:
            return None
        if need == "handoffs":
            return "needs to know where one clip was continued by the next, which is not known of these videos"
        if need == "prompts":
            told = all(name in self.prompts for name in self.names)
            return None if told else "needs the prompts, which are not known of these videos"
        if need == "probe":
            return "needs the probe's latents, which only films of this harness have"
        what = "true film" if need == "continuation" else "true scene"
        return f"needs the {what}, which is not known of these videos"

    def film(self, index: int) -> Film:
        """The video of sample `index`, decoded as it is read."""
        frames, true = Mp4Frames(self._files[index].path, self._files[index].frames), None
        if self._reference is not None:
            true = self._reference.frames(self.names[index], self.fps, frames.shape)
        return Film(frames, self.fps, self._clips[index], continuation=true)

    def clip_prompts(self, index: int) -> tuple[str, ...]:
        """The prompt of video `index`, where its project wrote it down, for each clip."""
        return (self.prompts[self.names[index]],) * len(self._clips[index])

    def video(self, index: int) -> Path:
        return self._files[index].path


def _opened(
    folder: Path, found: Mapping[str, Path], names: Sequence[str], track: Track | None, one_size: bool
) -> list[VideoFile]:
    """The video of every name. Raises ValueError with all that is off."""
    faults = [f"{name}: no {name}.mp4 for this sample" for name in names if name not in found]
    files: list[VideoFile] = []
    for name in names:
        try:
            files += [VideoFile.open(found[name])] if name in found else []
        except ValueError as error:
            faults.append(str(error))
    faults += _unlike(files, one_size)
    faults += [fault for file in files if track is not None for fault in _off(file, track)]
    if faults:
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise ValueError(f"videos in {folder}: {'; '.join(faults[:_SHOWN])}{more}")
    return files


def _most_alike(found: Mapping[str, Path], any_length: bool) -> tuple[dict[str, Path], list[str]]:
    """The videos of the most frequent size and rate, with `any_length` those that last at least half as long as their median; and
    what is said of the others. One that cannot be read is kept, for it is refused later."""
    files: dict[str, VideoFile] = {}
    for name, path in found.items():
        with warnings.catch_warnings(), suppress(ValueError):
            warnings.simplefilter("ignore")
            files[name] = VideoFile.open(path)
    kinds: dict[str, list[str]] = {}
    for name, file in files.items():
        kinds.setdefault(f"{file.width}x{file.height} at {file.fps:g} fps", []).append(name)
    most = max(kinds, key=lambda kind: len(kinds[kind]), default="")
    out = {f"{kind}, where most are {most}": names for kind, names in kinds.items() if kind != most}
    alike = {name: files[name].seconds for name in kinds.get(most, ())}
    half = median(alike.values()) / 2 if any_length and alike else 0.0
    if short := [name for name, seconds in alike.items() if seconds < half]:
        out[f"shorter than {half:.1f} s, half of the median"] = short
    said = [
        f"{len(names)} left out, {why}: {', '.join(found[name].name for name in names[:_SHOWN])}"
        for why, names in out.items()
    ]
    return {name: path for name, path in found.items() if not any(name in names for names in out.values())}, said


def _unlike(files: Sequence[VideoFile], one_size: bool) -> Iterator[str]:
    """Frame rates that differ, and sizes where no list of samples says that they may: no mean may be taken over them."""
    rates, sizes = [f"{file.fps:g}" for file in files], [f"{file.width}x{file.height}" for file in files]
    for what, values in (("fps", rates), ("size", sizes if one_size else [])):
        kinds: dict[str, list[str]] = {}
        for file, value in zip(files, values, strict=False):
            kinds.setdefault(value, []).append(file.path.name)
        if len(kinds) > 1:
            named = ", ".join(f"{kind} ({len(names)}, such as {names[0]})" for kind, names in kinds.items())
            yield f"{what}: received {named}, expected the same of all; convert them, or score each kind by itself"


def _off(file: VideoFile, track: Track) -> Iterator[str]:
    if track.fps is not None and abs(file.fps - track.fps) > 0.01:
        yield f"{file.path.name}: received {file.fps:g} fps, expected {track.fps:g} on {track.name}"
        return
    try:
        windows(track, file.frames, file.fps)
    except ValueError as error:
        yield f"{file.path.name}: {error}"


def _longer(files: Sequence[VideoFile], track: Track) -> Iterator[str]:
    longest = max(files, key=lambda file: file.seconds)
    if longest.seconds > 1.02 * track.seconds:
        yield (
            f"{longest.path.name} lasts {longest.seconds:.1f} s on a track of {track.seconds:.0f} s: all of it is scored, the "
            "rest in the last window"
        )


def _names(by_name: bool, others: list[str]) -> Iterator[str]:
    if by_name:
        yield "nothing says which samples these are (--samples): their list is known by the files' names alone"
    elif others:
        yield f"{len(others)} videos belong to no sample and are left out: {', '.join(others[:_SHOWN])}"


def _not_mp4(folder: Path) -> Iterator[str]:
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _OTHER_VIDEOS)
    if len(names) == 1:
        yield f"{names[0]} is no mp4 and left out"
    elif names:
        more = ", ..." if len(names) > _SHOWN else ""
        yield f"{len(names)} videos are no mp4 and left out: {', '.join(names[:_SHOWN])}{more}"


def _warned(warned: list[str]) -> Iterator[str]:
    if warned:
        yield warned[0] + (f" (the same of {len(warned) - 1} more)" if len(warned) > 1 else "")


def _hash_of_names(names: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(["names", *names]).encode()).hexdigest()
