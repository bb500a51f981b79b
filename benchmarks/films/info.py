"""What is said of generated films beside their frames: their track, how they were cut into clips, and their samples."""

import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path, PurePath
from typing import Self

from benchmarks.artifacts import FILM_INFO
from benchmarks.track import Neighbour


@dataclass(frozen=True)
class FilmSample:
    """One film: its prompts, one a clip, its mp4 relative to the folder, its height and width in pixels before any enlarging, and
    the hash of the image and prompts that it starts from; "" in a film.json of an earlier version."""

    name: str
    prompts: tuple[str, ...]
    video: str
    size: tuple[int, int]
    start: str = ""


@dataclass(frozen=True)
class FilmInfo:
    """film.json: the films of one track that were made alike. `overlap` is in frames, `n_clips` and `n_frames` are a film's.

    `overlap_from`: which of two clips shows the frames that they share; older files do not say that it is the next one.
    `anchor`: how many of a clip's frames, of those that overlap, are the start image again, which later clips do not show.
    """

    track: str
    track_version: int
    method: str
    samples_hash: str
    fps: float
    clip_frames: int
    overlap: int
    n_clips: int
    n_frames: int
    samples: tuple[FilmSample, ...]
    overlap_from: Neighbour = "next"
    anchor: int = 0

    @property
    def clip_seconds(self) -> float:
        """How much longer a film gets by a clip."""
        return (self.clip_frames - self.overlap) / self.fps

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The film.json of `folder`.

        Raises:
            ValueError: there is none, or it does not describe films.
        """
        path = folder / FILM_INFO
        if not path.is_file():
            raise ValueError(
                f"{folder}: received no {FILM_INFO}, expected a folder of generated films; generate them first"
            )
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise _unfit(path, f"no JSON ({error})") from error
        _require(path, cls, found)
        for sample in found["samples"]:
            _require(path, FilmSample, sample)
            video = PurePath(str(sample["video"]))
            if video.is_absolute() or ".." in video.parts:
                raise _unfit(path, f"the video {sample['video']!r}, which leads out of its folder")
        samples = tuple(
            FilmSample(
                one["name"], tuple(one["prompts"]), one["video"], (one["size"][0], one["size"][1]), one.get("start", "")
            )
            for one in found["samples"]
        )
        known = {field.name: found[field.name] for field in fields(cls) if field.name in found}
        return cls(**known | {"samples": samples})

    def write(self, folder: Path) -> None:
        """As the film.json of `folder`."""
        (folder / FILM_INFO).write_text(json.dumps(asdict(self), indent=1))


def _require(path: Path, kind: type[FilmInfo | FilmSample], found: object) -> None:
    if not isinstance(found, dict):
        raise _unfit(path, "no object")
    missing = [field.name for field in fields(kind) if field.name not in found and field.default is MISSING]
    if missing:
        raise _unfit(path, f"no {', '.join(missing)}")


def _unfit(path: Path, received: str) -> ValueError:
    return ValueError(f"{path}: received {received}, expected the description of generated films; generate them again")
