"""The sound of a film, as AAC that begins with the pictures and lasts exactly as long."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from numpy.typing import NDArray

RATES = (
    8_000,
    11_025,
    12_000,
    16_000,
    22_050,
    24_000,
    32_000,
    44_100,
    48_000,
)  # samples a second that every player knows
BITS = 3  # a sample: 48 kb/s for speech at 16 kHz, 144 kb/s at 48 kHz
BLOCK = 4096  # samples of silence at once


class Sound:
    """A file with sound, to be heard with a film. It is read when the film is joined, a block at a time, so it has to stay."""

    def __init__(self, file: Path) -> None:
        """Raises ValueError for a file that is not there or has no sound."""
        self.file = file
        try:
            with av.open(str(file)) as source:
                rates = [track.rate for track in source.streams.audio]
        except av.FFmpegError as error:
            raise ValueError(
                f"sound: received {file} ({error.strerror}), expected a file with sound, a wav say"
            ) from error
        if not rates:
            raise ValueError(f"sound: received {file}, in which there is none; expected a file with sound, a wav say")
        self.rate = rates[0] if rates[0] in RATES else RATES[-1]

    def track(self, container: OutputContainer) -> AudioStream:
        """A new stream of a film for it, before any packet is written."""
        options = {"threads": "1"}  # the same bytes every time
        return container.add_stream("aac", rate=self.rate, layout="mono", bit_rate=BITS * self.rate, options=options)

    def packets(self, track: AudioStream, seconds: Fraction) -> Iterator["Packet[Any]"]:
        """What that stream holds of so many seconds: what is longer is cut, silence follows what is shorter.

        AAC's encoder puts 1024 samples in front: its first packet lies before 0, which the mp4's edit list tells players to skip.

        Raises ValueError for sound that cannot be decoded.
        """
        try:
            place = 0
            for block in self._blocks(round(seconds * self.rate)):
                frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = self.rate, place, Fraction(1, self.rate)
                place += len(block)
                yield from track.encode(frame)
            yield from track.encode()
        except av.FFmpegError as error:
            raise ValueError(
                f"sound {self.file}: received what cannot be decoded ({error.strerror}), expected a whole file; "
                "put one in its place and run again"
            ) from error

    def _blocks(self, count: int) -> Iterator[NDArray[np.float32]]:
        """`count` samples of the mono sound in all, the mean of its channels."""
        left = count
        with av.open(str(self.file)) as source:
            resampler = av.AudioResampler(format="fltp", layout="mono", rate=self.rate)
            for frame in itertools.chain(source.decode(audio=0), [None]):
                for part in resampler.resample(frame):
                    block = np.ascontiguousarray(part.to_ndarray()[0, :left], dtype=np.float32)
                    left -= len(block)
                    if len(block):
                        yield block
                if not left:
                    return
        while left:
            yield np.zeros(min(left, BLOCK), dtype=np.float32)
            left -= min(left, BLOCK)
