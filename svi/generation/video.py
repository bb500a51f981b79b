"""Films for people as H.264 mp4, untagged yuv420p: written in one go, or joined from clips without encoding again."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import numpy as np

from svi.disk import replacing
from svi.frames import Frames

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


def join_mp4(file: Path, segments: Sequence[Path]) -> None:
    """Copy the packets of files that `write_mp4` wrote one after the other; `file` is there only once it is whole.

    Until then it lies beside the segments, and goes with them. Raises ValueError if a segment was not encoded as the first one was.
    """
    with replacing(file, segments[0].parent) as fresh, av.open(str(fresh), "w", format="mp4") as container:
        stream, header, start = None, b"", 0
        for segment in segments:
            with av.open(str(segment)) as source:
                track = source.streams.video[0]
                encoding = track.codec_context.extradata or b""
                if stream is None:
                    stream, header = container.add_stream_from_template(track), encoding
                if encoding != header:
                    raise ValueError(f"{segment} is encoded differently from {segments[0]}; remove both and run again")
                for packet in source.demux(track):
                    if packet.pts is None:  # the demuxer's end
                        continue
                    packet.pts = packet.dts = start + packet.pts
                    packet.stream = stream
                    container.mux(packet)
                start += track.duration or 0
