"""Pictures in a row, from a video, from JPEGs that the authors keep in a pickle, or drawn; and the mp4 that is kept of them."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from PIL import Image

from svi.data.pickles import read_pickled
from svi.frames import Frames

# Close to lossless, since a codec's traces would be learned; often a key frame, since clips are read from anywhere.
ENCODER = {"crf": "10", "preset": "veryfast", "g": "25", "bf": "0"}
MOST_RATE, MOST_SIDE = 1000, 2**14


@dataclass(frozen=True)
class Pictures:
    """`count` pictures of height x width, `rate` a second; `read` gives them in order and raises ValueError for a damaged one.

    `jpegs`: what they are stored as, None: anything else.
    """

    count: int
    rate: Fraction
    height: int
    width: int
    read: Callable[[], Iterator[Frames]]
    jpegs: Sequence[bytes] | None = None

    @property
    def seconds(self) -> float:
        """How long they last."""
        return float(self.count / self.rate)


def open_video(file: Path, rate: Fraction | None = None) -> Pictures:
    """Of a video, turned upright as its camera noted: at `rate` by their time stamps; None: each one, at the video's average rate.

    All packets are read, one picture is decoded. Raises ValueError for a file without readable pictures.
    """
    with _opened(file) as (container, stream):
        own, base = stream.average_rate or Fraction(0), stream.time_base or Fraction(0)
        stamps = [p.pts for p in container.demux(stream) if p.pts is not None and not p.is_discard]
    if not stamps or not 0 < own <= MOST_RATE:
        raise ValueError(
            f"{file}: received {len(stamps)} pictures at {own} a second, expected a video; render it again"
        )
    first = next(_decoded(file), None)
    if first is None:
        raise ValueError(f"{file}: received no picture that can be decoded, expected a whole video; copy it again")
    height, width, _ = first[1].shape
    if rate is None:
        return Pictures(len(stamps), own, height, width, lambda: (picture for _, picture in _decoded(file)))
    count = max(1, round(((max(stamps) - min(stamps)) * base + 1 / own) * rate))
    return Pictures(count, rate, height, width, lambda: _at(_decoded(file), rate, count))


def open_jpegs(file: Path) -> dict[str, bytes]:
    """The authors' {"000000.jpg": JPEG}, in the order of its names. Raises ValueError for anything else."""
    found = read_pickled(file)
    expected = "expected names of pictures with a JPEG each"
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{file}: received a {type(found).__name__} of nothing known, {expected}")
    for name, content in found.items():
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise ValueError(f"{file}: received a {type(content).__name__} as {name!r}, {expected}")
    return dict(sorted(found.items()))


def jpeg_pictures(file: Path, jpegs: Sequence[bytes], rate: Fraction) -> Pictures:
    """Of pictures that are stored without a rate. Raises ValueError for one that is no JPEG, or of another size than the first."""
    sizes = {picture.shape[:2] for picture in _of_jpegs(file, jpegs)}
    if len(sizes) != 1:
        listed = " and ".join(f"{width} x {height}" for height, width in sorted(sizes))
        raise ValueError(f"{file}: received pictures of {listed} pixels, expected one size for all")
    [(height, width)] = sizes
    return Pictures(len(jpegs), rate, height, width, lambda: _of_jpegs(file, jpegs), jpegs)


def by_time(pictures: Pictures, rate: Fraction) -> Pictures:
    """The same ones at another rate: the nearest at each time."""
    count = max(1, round(pictures.count / pictures.rate * rate))

    def read() -> Iterator[Frames]:
        return _at(((i / pictures.rate, one) for i, one in enumerate(pictures.read())), rate, count)

    return Pictures(count, rate, pictures.height, pictures.width, read)


def keep(pictures: Pictures, count: int, rate: Fraction, target: Path) -> None:
    """Write the first `count` of them as an mp4 at `rate`: JPEGs as they are, others as H.264, cut to even sides.

    Raises ValueError if there are fewer, or one cannot be read.
    """
    with av.open(str(target), "w", format="mp4") as container:
        if pictures.jpegs is not None:
            _copy_jpegs(container, pictures, count, rate)
            return
        stream = container.add_stream("libx264", rate=rate, options=ENCODER)
        stream.height, stream.width = pictures.height // 2 * 2, pictures.width // 2 * 2
        stream.pix_fmt = "yuv420p"
        written = 0
        for picture in islice(pictures.read(), count):
            even = np.ascontiguousarray(picture[: stream.height, : stream.width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
            written += 1
        container.mux(stream.encode())
    if written < count:
        raise ValueError(
            f"received {written} pictures that can be read of {count}, expected a whole video; copy it again"
        )


def _copy_jpegs(container: av.container.OutputContainer, pictures: Pictures, count: int, rate: Fraction) -> None:
    """Bit by bit: what is encoded once more is worse."""
    stream = container.add_stream("mjpeg", rate=rate)
    stream.height, stream.width, stream.pix_fmt = pictures.height, pictures.width, "yuvj420p"
    for i, content in enumerate((pictures.jpegs or ())[:count]):
        packet = av.Packet(content)
        packet.stream, packet.time_base = stream, 1 / rate
        packet.pts = packet.dts = i
        packet.duration, packet.is_keyframe = 1, True
        container.mux(packet)


def _of_jpegs(file: Path, jpegs: Sequence[bytes]) -> Iterator[Frames]:
    for i, content in enumerate(jpegs):
        try:
            with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
                yield np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"{file}: received picture {i} that cannot be read ({error}), expected a JPEG") from error


@contextmanager
def _opened(file: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and its pictures, a cover's aside. Raises ValueError for a file that holds none, or is damaged."""
    try:
        with av.open(str(file)) as container:
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not streams:
                raise ValueError(f"{file}: received a file without pictures, expected a video")
            yield container, streams[0]
    except (av.FFmpegError, OSError) as error:
        raise ValueError(
            f"{file}: received an unreadable video ({error.strerror}), expected a whole one; copy it again"
        ) from error


def _decoded(file: Path) -> Iterator[tuple[Fraction, Frames]]:
    """Each picture with its time, the first at 0."""
    with _opened(file) as (container, stream):
        stream.codec_context.thread_count = 1
        start: int | None = None
        for frame in container.decode(stream):
            if frame.pts is None or frame.time_base is None:
                raise ValueError(f"{file}: received a picture without a time, expected a video; render it again")
            start = frame.pts if start is None else start
            upright: Frames = np.rot90(
                frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False), frame.rotation // 90
            )
            yield (frame.pts - start) * frame.time_base, upright


def _at(stamped: Iterator[tuple[Fraction, Frames]], rate: Fraction, count: int) -> Iterator[Frames]:
    """The picture nearest to each of `count` times."""
    k, shown, since = 0, None, Fraction(0)
    for time, picture in stamped:
        while shown is not None and k < count and Fraction(k) / rate < (since + time) / 2:
            yield shown
            k += 1
        shown, since = picture, time
    for _ in range(k, count):
        if shown is not None:
            yield shown
