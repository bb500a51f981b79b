"""A video that a film goes on from: its last frames condition the first clip, and its own pictures begin the film."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from svi.frames import Frames

UNTAGGED, BT709, FULL_RANGE = 2, 1, 2  # numbers of ITU-T H.273, and FFmpeg's for the range
MATRICES = {BT709: Colorspace.ITU709, UNTAGGED: Colorspace.ITU601, 5: Colorspace.ITU601, 6: Colorspace.ITU601}
FOUR_BYTES = 3  # in avcC: the length in front of a packet's parts has one byte more


class Colours(NamedTuple):
    """How a player shows a video's pictures, as ITU-T H.273 numbers them."""

    primaries: int
    transfer: int
    matrix: int

    def tag(self, stream: VideoStream) -> None:
        """A stream that is to be encoded."""
        stream.color_primaries, stream.color_trc, stream.colorspace = self

    def picture(self, image: Frames) -> VideoFrame:
        """[H, W, 3], as a player will show it."""
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        return picture.reformat(format="yuv420p", dst_colorspace=MATRICES[self.matrix])


@dataclass(frozen=True)
class Opening:
    """A readable video. Sizes are those of its pictures as they are shown, upright.

    `frames`: how many it has. `encoding`: H.264's parameters as an mp4 has them. `unfit`: why its packets cannot begin a film
    whatever the film's size; empty where they can.
    """

    file: Path
    height: int
    width: int
    fps: float
    frames: int
    seconds: Fraction
    heard: bool
    colours: Colours
    encoding: bytes
    unfit: str

    @classmethod
    def of(cls, file: Path) -> "Opening":
        """Reads its packets, and decodes its first frame. Raises ValueError for a file that is no readable video."""
        with _reading(file) as source:
            track, frames, end, hidden, timeless = source.streams.video[0], 0, Fraction(0), False, False
            begin, fps = track.start_time or 0, track.average_rate
            for packet in source.demux(track):
                if packet.pts is None:  # the demuxer's end
                    continue
                frames, hidden, timeless = frames + 1, hidden or packet.is_discard, timeless or packet.dts is None
                lasting = packet.duration or 1 / (fps or 1) / packet.time_base
                end = max(end, (packet.pts - begin + lasting) * packet.time_base)
            heard = bool(source.streams.audio)
        with _reading(file) as source:
            track = source.streams.video[0]
            first = next(source.decode(track))
            image, coded = _upright(first), track.codec_context
            colours = Colours(coded.color_primaries, coded.color_trc, coded.colorspace)
            encoding = bytes(coded.extradata or b"")
            unfit = _unfit(first, coded, colours, encoding)
            if hidden or timeless:  # Matroska leaves out when packets are decoded where that is not when they are shown
                unfit = "some of its frames are hidden" if hidden else "it does not say when its packets are decoded"
        if not fps:
            raise ValueError(f"{file}: received a video without a rate, expected frames at even times")
        height, width, _ = image.shape
        return cls(file, height, width, float(fps), frames, end, heard, colours, encoding, unfit)

    def unlike(self, height: int, width: int) -> str:
        """Why its packets cannot begin an mp4 of this size as they are; empty where they can."""
        if (self.height, self.width) != (height, width):
            return f"its frames are {self.width} x {self.height}, those of the mp4 {width} x {height}"
        return self.unfit

    def pictures(self) -> Iterator[Frames]:
        """[H, W, 3] each, one by one. Raises ValueError where they cannot be decoded."""
        with _reading(self.file) as source:
            yield from map(_upright, source.decode(video=0))

    def last(self, count: int) -> Frames:
        """[count, H, W, 3]; before a shorter one its first frame is repeated. Raises ValueError as `pictures` does."""
        kept = list(deque(self.pictures(), maxlen=count))
        return np.stack([kept[0]] * (count - len(kept)) + kept)

    def track(self, film: OutputContainer, own: VideoStream) -> VideoStream:
        """A new stream of a film for its packets, and behind these for some of `own` kind, whose parameters have another number."""
        with av.open(str(self.file)) as source:
            stream = film.add_stream_from_template(source.streams.video[0])
        stream.codec_context.extradata = _both(self.encoding, own.codec_context.extradata or b"")
        return stream

    def packets(self, stream: VideoStream) -> Iterator["Packet[Any]"]:
        """As they are, from time 0 on."""
        with av.open(str(self.file)) as source:
            track = source.streams.video[0]
            begin = track.start_time or 0
            for packet in source.demux(track):
                if packet.pts is not None and packet.dts is not None:
                    packet.pts, packet.dts, packet.stream = packet.pts - begin, packet.dts - begin, stream
                    yield packet


@contextmanager
def _reading(file: Path) -> Iterator[Any]:
    """FFmpeg's errors become ValueError."""
    expected = "expected a whole video file, an mp4 say"
    try:
        with av.open(str(file)) as source:
            if not source.streams.video:
                raise ValueError(f"{file}: received a file without pictures, {expected}")
            yield source
    except (av.FFmpegError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or "it holds no frames"
        raise ValueError(f"{file}: received no readable video ({reason}), {expected}") from error


def _upright(frame: VideoFrame) -> Frames:
    """[H, W, 3], turned as the camera noted."""
    image: Any = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _unfit(first: VideoFrame, coded: Any, colours: Colours, encoding: bytes) -> str:
    """Why packets cannot stand before those of `svi.generation.video.write_mp4` in one stream; empty where they can."""
    if coded.name != "h264":
        return f"it is {coded.name}, not H.264"
    if first.rotation:
        return "its pictures lie on their side"
    if coded.pix_fmt != "yuv420p" or coded.color_range == FULL_RANGE or colours.matrix not in MATRICES:
        return f"its colours are kept in another way ({coded.pix_fmt})"
    if encoding[:1] != b"\1" or encoding[4] & 3 != FOUR_BYTES:
        return "its packets are laid out in another way than an mp4's"
    pictures, sequences, _ = _parameters(encoding)
    # Exp-Golomb: a leading 1 is number 0. A sequence's stands behind type, profile, flags and level, a picture's behind its type.
    if not all(one[4] & 128 for one in sequences) or not all(one[1] & 128 for one in pictures):
        return "it has several sets of H.264's parameters"
    return ""


def _parameters(encoding: bytes) -> tuple[list[bytes], list[bytes], bytes]:
    """Picture parameter sets, sequence parameter sets, and the rest of an avcC (ISO/IEC 14496-15, 5.3.3.1.2)."""
    found, at = [list[bytes](), list[bytes]()], 5
    for sets, mask in zip(found, (31, 255), strict=True):
        count, at = encoding[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(encoding[at : at + 2], "big")
            sets.append(encoding[at + 2 : at + 2 + size])
            at += 2 + size
    return found[1], found[0], encoding[at:]


def _both(first: bytes, second: bytes) -> bytes:
    """The avcC of a stream that has packets of both: all parameter sets, and the higher profile and level."""
    (pictures, sequences, rest), (later_pictures, later_sequences, later_rest) = map(_parameters, (first, second))
    sequences, pictures = sequences + later_sequences, pictures + later_pictures
    head = [
        1,
        max(first[1], second[1]),
        first[2] & second[2],
        max(first[3], second[3]),
        first[4],
        0xE0 | len(sequences),
    ]
    listed = [b"".join(len(one).to_bytes(2, "big") + one for one in sets) for sets in (sequences, pictures)]
    return bytes(head) + listed[0] + bytes([len(pictures)]) + listed[1] + (rest or later_rest)
