"""Video files: what a file says of itself, whether it can be scored, and its frames in order, block by block.

Decoded with PyAV, whose pixels are those of decord, which VBench decodes with. decord reads a file's packets ahead
without bound, so its memory grows with the file; here one block is held.
"""

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter

from benchmarks.arrays import UInt8

FEWEST_FRAMES = 2
_UNTAGGED = "unspecified"
# The colour spaces that a container can name, by ITU-T H.273's matrix coefficients.
_COLOUR_SPACES = {
    0: "rgb", 1: "bt709", 2: _UNTAGGED, 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco",
    9: "bt2020nc", 10: "bt2020c",
}  # fmt: skip
_BT601 = ("bt470bg", "smpte170m")


@dataclass(frozen=True)
class VideoFile:
    """A readable video: `fps` frames a second, `frames` of `height` x `width` pixels, the colour space of its tag."""

    path: Path
    fps: float
    frames: int
    height: int
    width: int
    colour: str

    @classmethod
    def open(cls, path: Path) -> Self:
        """What the file at `path` says of itself; reads it to its end without decoding it.

        Warns of a colour tag that decoders read differently.

        Raises:
            ValueError: no file, no readable video in it, a video that was cut off, or fewer than two frames.
        """
        if not path.is_file():
            raise ValueError(f"video: received {str(path)!r}, expected an existing file")
        try:
            with av.open(str(path)) as container:
                video = cls._of(path, container)
        except av.FFmpegError as error:
            size = f"{path.stat().st_size:,} bytes"
            raise ValueError(
                f"video {path}: received an unreadable file of {size} ({error.strerror}), expected a whole mp4 video"
            ) from error
        if video.frames < FEWEST_FRAMES:
            raise ValueError(
                f"video {path}: received {video.frames} frame, expected at least {FEWEST_FRAMES} to compare"
            )
        if video.colour not in (_UNTAGGED, *_BT601):
            warnings.warn(
                f"video {path}: its colour tag is {video.colour}, which versions of OpenCV decode to other colours than "
                "decord, so scores that official VBench reads with OpenCV (dynamic degree, motion smoothness) may "
                "differ; write videos untagged",
                stacklevel=2,
            )
        return video

    @classmethod
    def _of(cls, path: Path, container: InputContainer) -> Self:
        if not container.streams.video:
            raise ValueError(f"video {path}: received no readable video stream in it, expected a whole mp4 video")
        stream = container.streams.video[0]
        if not stream.average_rate:
            raise ValueError(f"video {path}: received no frame rate, expected one in its header")
        packets = [packet.is_discard for packet in container.demux(stream) if packet.size and not packet.is_corrupt]
        if len(packets) < stream.frames:
            raise _cut_off(path, len(packets), stream.frames)
        return cls(
            path,
            fps=float(stream.average_rate),
            frames=packets.count(False),  # the others are cut away by the file's edit list
            height=stream.height,
            width=stream.width,
            colour=_COLOUR_SPACES.get(int(stream.codec_context.colorspace), "unknown"),
        )

    @property
    def seconds(self) -> float:
        """How long the video lasts."""
        return self.frames / self.fps

    def blocks(self, size: int) -> Iterator[UInt8]:
        """The frames in order, RGB [B, H, W, 3] with B = `size` but for the last block; one block is held at a time.

        Raises:
            ValueError: a frame cannot be decoded.
        """
        images = self._images()
        for first in range(0, self.frames, size):
            frames: UInt8 = np.empty((min(size, self.frames - first), self.height, self.width, 3), np.uint8)
            found = 0
            for image in itertools.islice(images, len(frames)):
                frames[found] = image
                found += 1
            if found < len(frames):
                raise _cut_off(self.path, first + found, self.frames)
            frames.flags.writeable = False  # every reader sees the same block
            yield frames
        if more := sum(1 for _ in images):
            raise _cut_off(self.path, self.frames + more, self.frames)

    def _images(self) -> Iterator[UInt8]:
        to_rgb = VideoReformatter()
        decoded = 0
        try:
            with av.open(str(self.path)) as container:
                container.streams.video[0].codec_context.thread_count = 1
                for frame in container.decode(video=0):
                    yield to_rgb.reformat(frame, format="rgb24").to_ndarray().astype(np.uint8, copy=False)
                    decoded += 1
        except av.FFmpegError as error:
            raise ValueError(
                f"video {self.path}: received an undecodable frame after {decoded} of {self.frames} ({error.strerror}), "
                "expected a whole mp4 video; render or copy it again"
            ) from error


def _cut_off(path: Path, found: int, expected: int) -> ValueError:
    return ValueError(
        f"video {path}: received {found} readable frames, expected {expected} as its header says (was it cut off while it "
        "was written or copied?)"
    )
