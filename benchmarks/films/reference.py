"""Reference videos: what films should have become, one video per film, to compare them frame by frame."""

import difflib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.arrays import Frames
from benchmarks.films.mp4 import Mp4Frames, mp4s
from benchmarks.films.video_file import VideoFile

_SHOWN = 5
_SAME_RATE = 1e-4  # relative: 23.976 is 24000 / 1001, and 24 is another


class ReferenceFolder:
    """A folder with `<name>.mp4` for the film of each name; what else lies there is left alone. Nothing is ever resized.

    Raises:
        ValueError: no such folder, no mp4 in it, or two of one name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise ValueError(f"reference: received {str(folder)!r}, expected a folder with one mp4 for each sample")
        self._videos = mp4s(folder)
        if not self._videos:
            raise ValueError(f"reference: received {str(folder)!r} without an .mp4, expected one for each sample")

    def video(self, name: str) -> Path:
        """The reference of that film.

        Raises:
            ValueError: there is none.
        """
        if name not in self._videos:
            near = difflib.get_close_matches(name, self._videos, n=1)
            hint = f" (did you mean {near[0]}.mp4?)" if near else ""
            raise ValueError(
                f"reference {self.folder}: received no {name}.mp4 among {len(self._videos)} videos{hint}, expected one for each "
                "sample; name it so"
            )
        return self._videos[name]

    def check(self, shapes: Mapping[str, tuple[int, ...]], fps: float) -> None:
        """Whether every film of `shapes` (name -> [F, H, W, 3]) at `fps` has a reference that it can be compared with.

        Raises:
            ValueError: everything that is off: no video, one that cannot be read, another frame rate, size or length.
        """
        faults = [fault for name, shape in shapes.items() for fault in self._faults(name, fps, shape)]
        if faults:
            more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
            raise ValueError("; ".join(faults[:_SHOWN]) + more)

    def frames(self, name: str, fps: float, shape: tuple[int, ...]) -> Frames:
        """The reference's frames of the film of that name, rate and shape [F, H, W, 3]; decoded as they are read.

        Raises:
            ValueError: as `check`.
        """
        self.check({name: shape}, fps)
        return Mp4Frames(self.video(name), shape[0])

    def _faults(self, name: str, fps: float, shape: tuple[int, ...]) -> Iterator[str]:
        try:
            file = VideoFile.open(self.video(name))
        except ValueError as error:
            yield str(error)
            return
        what = f"reference {file.path}"
        if not math.isclose(file.fps, fps, rel_tol=_SAME_RATE):
            yield f"{what}: received {file.fps:g} fps, expected the film's {fps:g}; convert it"
        if (file.height, file.width) != shape[1:3]:
            sizes = f"{file.width}x{file.height} pixels, expected the film's {shape[2]}x{shape[1]}"
            yield f"{what}: received {sizes}; it is not resized here, since that changes every score: choose how and do it"
        if file.frames != shape[0]:
            advice = "cut it" if file.frames > shape[0] else "take a longer one, or compare a shorter film"
            yield f"{what}: received {file.frames} frames, expected the film's {shape[0]}; {advice}"
