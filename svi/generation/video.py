"""Films for people as H.264 mp4, untagged yuv420p: written in one go, or joined from clips without encoding again; and frames kept
as they are."""

import heapq
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from svi.disk import replacing
from svi.frames import Frames
from svi.generation.opening import Colours, Opening
from svi.generation.sound import Sound

WATCHABLE = 128  # pixels: smaller frames are enlarged
# No B-frames: presentation follows decoding, so that clips join end to end. One thread: the same bytes every time.
ENCODER = {"crf": "16", "bf": "0", "threads": "1"}
SECOND = {"x264-params": "sps-id=1"}  # parameters of another number, so that those of number 0 stay valid beside them
PLAYABLE = {"movflags": "empty_moov+default_base_moof+frag_every_frame", "flush_packets": "1"}
# Of one clip, its times those within the film: FFmpeg's muxer shifts none, and writes no table of a whole film behind it.
PIECE = {"movflags": "empty_moov+default_base_moof+frag_discont+skip_trailer", "avoid_negative_ts": "disabled"}
PRESET, TO_BE_SEEN = "veryfast", "ultrafast"  # the same quality, by PSNR, in half the time and twice the bytes


def write_mp4(
    file: Path,
    frames: Iterable[Frames],
    fps: int,
    height: int,
    width: int,
    *,
    preset: str = PRESET,
    behind: Colours | None = None,
) -> None:
    """Encode frames [H, W, 3] one by one; a small frame is enlarged by a whole factor so that a person can see it.

    Without a colour tag OpenCV, decord and PyAV decode the same values. Sides must be even once enlarged. `preset`: x264's; for
    what is only looked at, TO_BE_SEEN, since other presets decode to other values. `behind`: to stand behind the packets of an
    opening with these colours.
    """
    factor = enlargement(height, width)
    with av.open(str(file), "w", format="mp4") as container:
        options = {**ENCODER, "preset": preset, **(SECOND if behind else {})}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width, stream.pix_fmt = height * factor, width * factor, "yuv420p"
        if behind:
            behind.tag(stream)
        for image in frames:
            big = np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)
            picture = behind.picture(big) if behind else av.VideoFrame.from_ndarray(big, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def enlargement(height: int, width: int) -> int:
    """How many times as high and wide `write_mp4` draws frames of this size."""
    return max(1, -(-WATCHABLE // min(height, width)))


def shown_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of an mp4 of such frames."""
    factor = enlargement(height, width)
    return height * factor, width * factor


def write_lossless(file: Path, frames: Frames) -> None:
    """Frames [F, H, W, 3] uint8 as FFV1 in Matroska: those of photographs take about a third of their bytes."""
    with av.open(str(file), "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=1, options={"threads": "1"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgr0"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def read_lossless(file: Path) -> Frames:
    """What `write_lossless` was given."""
    with av.open(str(file)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def join_mp4(file: Path, segments: Sequence[Path], sound: Sound | None = None, opening: Opening | None = None) -> None:
    """Copy the packets of files that `write_mp4` wrote one after the other; `file` is there only once it is whole.

    Its sound is as long as the pictures, and encoded here: of segments it would have joints. Until then the film lies beside the
    segments, and goes with them. `opening`: its packets stand before segments that were written behind its colours; such a film
    is silent. Raises ValueError if a segment was not encoded as the first one was, and for broken sound.
    """
    with replacing(file, segments[0].parent) as fresh, av.open(str(fresh), "w", format="mp4") as container:
        packets = _pictures(_track(container, segments[0], opening), segments, opening)
        if sound is not None:
            heard = sound.packets(sound.track(container), _seconds(segments))
            packets = heapq.merge(packets, heard, key=_time)
        for packet in packets:
            container.mux(packet)


def stream_mp4(file: Path, segments: Iterable[Path], opening: Opening | None = None) -> None:
    """The same of segments as they come, without sound, in a file that can be played before it is whole: up to the last frame but
    one of what has come. It is fragmented mp4, each frame a fragment; none where no segment comes. Raises ValueError as `join_mp4`
    does."""
    coming = iter(segments)
    first = next(coming, None)
    if first is None:
        return
    with av.open(str(file), "w", format="mp4", options=PLAYABLE) as container:
        track = _track(container, first, opening)
        for packet in _pictures(track, itertools.chain([first], coming), opening):
            container.mux(packet)


def pieces_mp4(segment: Path, begins: Fraction, number: int) -> tuple[bytes, bytes]:
    """A file of `write_mp4` as what stands before the clips of a film, and this clip, which begins so many seconds into it, as
    clip `number` from 1 on: a first part and all clips behind it, one after the other, are a fragmented mp4 (ISO/IEC 14496-12)."""
    content = io.BytesIO()
    with (
        av.open(str(segment)) as source,
        av.open(content, "w", format="mp4", options={**PIECE, "fragment_index": str(number)}) as container,
    ):
        track = source.streams.video[0]
        stream = container.add_stream_from_template(track)
        for packet in source.demux(track):
            if packet.pts is not None:
                packet.pts = packet.dts = round(begins / (track.time_base or 1)) + packet.pts
                packet.stream = stream
                container.mux(packet)
    written = content.getvalue()
    at = written.index(b"moof") - 4  # the first box of a clip; ftyp and moov before it hold no pictures
    return written[:at], written[at:]


def _track(film: OutputContainer, segment: Path, opening: Opening | None) -> VideoStream:
    """A new stream for packets like this segment's, and for those before it."""
    with av.open(str(segment)) as source:
        own = source.streams.video[0]
        return opening.track(film, own) if opening else film.add_stream_from_template(own)


def _pictures(stream: VideoStream, segments: Iterable[Path], opening: Opening | None) -> Iterator["Packet[Any]"]:
    first, start = None, 0
    if opening:
        yield from opening.packets(stream)
    for segment in segments:
        with av.open(str(segment)) as source:
            track = source.streams.video[0]
            encoding = track.codec_context.extradata or b""
            if first is None:
                first, start = (segment, encoding), round(opening.seconds / (track.time_base or 1)) if opening else 0
            if encoding != first[1]:
                raise ValueError(f"{segment} is encoded differently from {first[0]}; remove both and run again")
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
