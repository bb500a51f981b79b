"""Films for people as H.264 mp4, untagged yuv420p: written in one go, or joined from clips without encoding again."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from svi.disk import replacing
from svi.frames import Frames
from svi.generation.sound import Sound

WATCHABLE = 128  # pixels: smaller frames are enlarged
# No B-frames: presentation follows decoding, so that clips join end to end. One thread: the same bytes every time.
ENCODER = {"crf": "16", "preset": "veryfast", "bf": "0", "threads": "1"}


def write_mp4(file: Path, frames: Iterable[Frames], fps: int, height: int, width: int) -> None:
    """Encode frames [H, W, 3] one by one; a small frame is enlarged by a whole factor so that a person can see it.

    Without a colour tag OpenCV, decord and PyAV decode the same values. Sides must be even once enlarged.
    """
    factor = max(1, -(-WATCHABLE // min(height, width)))
    with av.open(str(file), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=ENCODER)
        stream.height, stream.width, stream.pix_fmt = height * factor, width * factor, "yuv420p"
        for image in frames:
            big = np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(big, format="rgb24")))
        container.mux(stream.encode())


def join_mp4(file: Path, segments: Sequence[Path], sound: Sound | None = None) -> None:
    """Copy the packets of files that `write_mp4` wrote one after the other; `file` is there only once it is whole.

    Its sound is as long as the pictures, and encoded here: of segments it would have joints. Until then the film lies beside the
    segments, and goes with them. Raises ValueError if a segment was not encoded as the first one was, and for broken sound.
    """
    with replacing(file, segments[0].parent) as fresh, av.open(str(fresh), "w", format="mp4") as container:
        with av.open(str(segments[0])) as first:
            stream = container.add_stream_from_template(first.streams.video[0])
        packets = _pictures(stream, segments)
        if sound is not None:
            heard = sound.packets(sound.track(container), _seconds(segments))
            packets = heapq.merge(packets, heard, key=_time)
        for packet in packets:
            container.mux(packet)


def _pictures(stream: VideoStream, segments: Sequence[Path]) -> Iterator["Packet[Any]"]:
    header, start = None, 0
    for segment in segments:
        with av.open(str(segment)) as source:
            track = source.streams.video[0]
            encoding = track.codec_context.extradata or b""
            if encoding != (encoding if header is None else header):
                raise ValueError(f"{segment} is encoded differently from {segments[0]}; remove both and run again")
            header = encoding
            for packet in source.demux(track):
                if packet.pts is None:  # the demuxer's end
                    continue
                packet.pts = packet.dts = start + packet.pts
                packet.stream = stream
                yield packet
            start += track.duration or 0


def _seconds(segments: Sequence[Path]) -> Fraction:
    """How long they are, one after the other."""
    total = Fraction(0)
    for segment in segments:
        with av.open(str(segment)) as source:
            track = source.streams.video[0]
            total += (track.duration or 0) * (track.time_base or 0)
    return total


def _time(packet: "Packet[Any]") -> Fraction:
    """When it is decoded, in seconds."""
    return (packet.dts or 0) * packet.time_base
