"""The frames of an mp4 as scorers read an array: in slices, decoded when they are asked for."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from benchmarks.arrays import UInt8


def mp4s(folder: Path) -> dict[str, Path]:
    """The mp4 files of a folder by their names without .mp4, in the order of these.

    Raises:
        ValueError: two of one name, such as a.mp4 and a.MP4.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (path.stem, path.name)):
        if path.suffix.lower() != ".mp4":
            continue
        if path.stem in found:
            raise ValueError(
                f"{folder}: received {found[path.stem].name} and {path.name}, expected one video a name; move one elsewhere"
            )
        found[path.stem] = path
    return found


class Mp4Frames:
    """Frames uint8 [F, H, W, 3] of a file; all that is held is the slice read last.

    Made for reading forwards: decoding goes on where it stopped, what slices have in common is decoded once, and a slice that
    lies further back is reached from the film's start. By PyAV: decord would come to hold the whole file.
    `count`: the frames that were counted in it, where they are known. Else the header is believed, which says 0 of a fragmented
    file and counts those that an edit list cuts away.

    Raises:
        ValueError: the file is missing or cannot be read.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, count: int | None = None) -> None:
        try:
            self._container = av.open(str(path))
            stream = self._container.streams.video[0]
        except (av.FFmpegError, IndexError) as error:  # a missing file is an FFmpegError as well
            raise ValueError(f"video {path}: received no readable video ({error}), expected a whole mp4") from error
        frames = stream.frames if count is None else count
        self._path, self.shape = path, (frames, stream.height, stream.width, 3)
        self._start, self._held = 0, np.empty((0, *self.shape[1:]), dtype=np.uint8)
        self._next, self._decoder = 0, self._decode()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice) -> UInt8:
        """The frames of a slice without a step, read-only."""
        start, stop, step = index.indices(len(self))
        if step != 1:
            raise ValueError(f"frames of a video: received a step of {step}, expected neighbouring frames")
        known = self._held[start - self._start : stop - self._start] if start >= self._start else self._held[:0]
        block = np.empty((max(stop - start, 0), *self.shape[1:]), dtype=np.uint8)
        block[: len(known)] = known
        for row, number in enumerate(range(start + len(known), stop), start=len(known)):
            block[row] = self._frame(number)
        block.flags.writeable = False
        self._start, self._held = start, block
        return block

    def _frame(self, number: int) -> UInt8:
        if number < self._next:
            self._container.seek(0)
            self._next, self._decoder = 0, self._decode()
        while self._next < number:
            self._advance()
        return self._advance().to_ndarray(format="rgb24").astype(np.uint8, copy=False)

    def _advance(self) -> av.VideoFrame:
        try:
            frame = next(self._decoder)
        except (StopIteration, av.FFmpegError) as error:
            raise ValueError(
                f"video {self._path}: frame {self._next} cannot be decoded, expected {len(self)} frames as the file says; "
                "remux it, or copy or render it again"
            ) from error
        self._next += 1
        return frame

    def _decode(self) -> Iterator[av.VideoFrame]:
        return self._container.decode(video=0)
