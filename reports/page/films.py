"""The films of a page: sample by sample, each variant's, in the page itself or beside it.

Samples are embedded, the first of every track before the second of any, while the page stays small enough to mail and to
open at once; the films of the others are linked where they lie, so that a page of large films plays them all the same.
"""

import heapq
import io
import itertools
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from reports.figures.sheet import TRUE, Pixels, tiles
from reports.page.data_uri import data_uri, image_uri
from reports.page.signals import Signals, has_sound, signals_of
from reports.statistics.info import ReportInfo

VIDEO_BYTES = 24_000_000
"""Most bytes of video in a page, as embedded (base64)."""

ENLARGED = 128  # pixels; a film of smaller frames was enlarged in its mp4
# The same bytes every time: one thread, and no macroblock tree, for which x264 reads beyond pictures of 32 x 32.
ENCODER = {"crf": "18", "preset": "veryfast", "bf": "0", "threads": "1", "x264-params": "mbtree=0"}

SOURCE = '<source src="{url}" type="video/mp4">'
"""How a page names an address of a film."""

Link = Callable[[Path], Sequence[str]]
"""Addresses of a film, relative to the page: a player takes the first that it finds."""


@dataclass(frozen=True)
class Film:
    """One film: its mp4 where it has one, and its row of an array uint8 [S, F, H, W, 3] where it was kept without loss.

    `signals`: the mp4 with its sound, if there is any, and beside which its skeletons lie; the true film goes with the baseline's.
    """

    mp4: Path | None
    signals: Path
    frames: Path | None = None
    row: int = 0

    def content(self, fps: float, most: int) -> bytes | None:
        """What a page embeds: small frames at their own size, which the page enlarges; else the mp4, if it has fewer bytes."""
        frames = None if self.frames is None else np.load(self.frames, mmap_mode="r")
        if frames is not None and (self.mp4 is None or min(frames.shape[2:4]) < ENLARGED):
            return small_mp4(frames[self.row], fps, self.signals if has_sound(self.signals) else None)
        assert self.mp4 is not None
        return self.mp4.read_bytes() if self.mp4.stat().st_size < most else None


@dataclass(frozen=True)
class SampleFilms:
    """The films of one sample: name and addresses each; `embedded`: the addresses of those to be seen first are data.

    `signals`: what they follow. `start`: the start image as data, where the true film is not among the films.
    """

    sample: str
    films: tuple[tuple[str, tuple[str, ...]], ...]
    embedded: bool
    signals: Signals
    start: str = ""


def film_rows(
    info: ReportInfo, link: Link, budget: int = VIDEO_BYTES, seen_first: Sequence[str] | None = None
) -> dict[str, list[SampleFilms]]:
    """Track -> its samples in order, each with the true film where it is known and the film of every compared variant that has one.

    A sample is embedded with all films that are `seen_first` (all of them, unless told otherwise) or with none: half of them
    would compare what is not side by side. Those of other variants are linked.
    """
    chosen = {TRUE, *(info.compared if seen_first is None else seen_first)}
    paths = {track: _samples(info, track) for track in info.tracks}
    rows: dict[str, list[SampleFilms]] = {track: [] for track in info.tracks}
    for index in range(max(map(len, paths.values()), default=0)):
        for track, samples in paths.items():
            for sample, films in itertools.islice(samples.items(), index, index + 1):
                data = _embedded({name: film for name, film in films.items() if name in chosen}, info.fps, budget)
                budget -= sum(map(_weight, data.values()))
                found: list[tuple[str, tuple[str, ...]]] = []
                for name, film in films.items():
                    if name in data:
                        found.append((name, (data[name],)))
                    elif film.mp4 is not None:
                        found.append((name, tuple(link(film.mp4))))
                start = "" if TRUE in dict(found) else _start(info, track, sample)
                first = sorted(films.items(), key=lambda named: named[0] != info.baseline)
                signals = signals_of({name: film.signals for name, film in first})
                rows[track].append(SampleFilms(sample, tuple(found), bool(data), signals, start))
    return rows


def _embedded(films: Mapping[str, Film], fps: float, budget: int) -> dict[str, str]:
    """The films as data addresses; none of them where they do not fit together."""
    data: dict[str, str] = {}
    for name, film in films.items():
        content = film.content(fps, budget)  # in base64 it has a third more
        if content is None:
            return {}
        data[name] = data_uri("video/mp4", content)
        budget -= _weight(data[name])
        if budget < 0:
            return {}
    return data


def _weight(address: str) -> int:
    """Bytes of a film as embedded."""
    return len(address.partition(",")[2])


def small_mp4(frames: Pixels, fps: float, heard: Path | None = None) -> bytes:
    """Frames uint8 [F, H, W, 3], each pixel as four: H.264 keeps colours at half the height and width of its pictures.

    With the sound of the mp4 `heard`, packet by packet as it is there.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container, ExitStack() as source:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=ENCODER)
        stream.height, stream.width, stream.pix_fmt = 2 * frames.shape[1], 2 * frames.shape[2], "yuv420p"
        packets = _pictures(stream, frames)
        if heard is not None:
            film = source.enter_context(av.open(str(heard)))
            copied = container.add_stream_from_template(film.streams.audio[0])
            packets = heapq.merge(
                packets, _copied(film, copied), key=lambda packet: (packet.dts or 0) * packet.time_base
            )
        for packet in packets:
            container.mux(packet)
    return buffer.getvalue()


def _pictures(stream: VideoStream, frames: Pixels) -> Iterator["Packet[Any]"]:
    for image in frames:
        doubled = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
        yield from stream.encode(av.VideoFrame.from_ndarray(doubled, format="rgb24"))
    yield from stream.encode()


def _copied(film: InputContainer, stream: AudioStream) -> Iterator["Packet[Any]"]:
    for packet in film.demux(audio=0):
        if packet.pts is not None:  # else the demuxer's end
            packet.stream = stream
            yield packet


def relative_links(*folders: Path) -> Link:
    """Films stay where they are; the page will be opened from one of these folders."""
    return lambda film: [quote(os.path.relpath(film, folder)) for folder in folders]


def films_beside(page: Path) -> Link:
    """Films are put into PAGE-films beside the page, as hard links or else copies, so that page and folder can be sent."""
    folder = page.with_name(f"{page.stem}-films")

    def link(film: Path) -> list[str]:
        folder.mkdir(exist_ok=True)
        target = folder / f"{film.stem}-{zlib.crc32(str(film).encode()):08x}.mp4"
        target.unlink(missing_ok=True)
        try:
            os.link(film, target)
        except OSError:  # on another disk
            shutil.copyfile(film, target)
        return [quote(f"{folder.name}/{target.name}")]

    return link


def relinked(page: Path, link: Link) -> str:
    """The text of a page for another place; a film that is gone keeps its address."""

    def put(found: re.Match[str]) -> str:
        paths = (page.parent / unquote(url) for url in re.findall(r'src="([^"]*)"', found[0]))
        film = next((path.resolve() for path in paths if path.is_file()), None)
        return found[0] if film is None else "".join(SOURCE.format(url=url) for url in link(film))

    return re.sub(r'(?:<source src="(?!data:)[^"]*" type="video/mp4">)+', put, page.read_text(encoding="utf-8"))


def _start(info: ReportInfo, track: str, sample: str) -> str:
    """The start image of that sample of the track; empty where it is not known."""
    truth = info.truth.get(track)
    known_of = info.baseline if truth else info.still or ""
    videos = [Path(path) for path in info.videos.get(track, {}).get(known_of, ())]
    row = next((row for row, path in enumerate(videos) if path.stem == sample), None)
    if row is None:
        return ""
    frames = truth or info.frames.get(track, {}).get(known_of, "")
    if frames.endswith(".npy"):
        return image_uri(tiles(Path(frames), row, count=1)[0][0])
    return image_uri(tiles(videos[row], count=1)[0][0]) if videos[row].is_file() else ""


def _samples(info: ReportInfo, track: str) -> dict[str, dict[str, Film]]:
    """Sample -> name -> its film, of those that are kept; the true one first."""
    found: dict[str, dict[str, Film]] = {}
    videos = info.videos.get(track, {})
    for variant in info.compared:
        frames = info.frames.get(track, {}).get(variant, "")
        kept = Path(frames) if frames.endswith(".npy") else None
        for row, path in enumerate(map(Path, videos.get(variant, ()))):
            if path.is_file():
                found.setdefault(path.stem, {})[variant] = Film(path, path, kept, row)
    if track in info.truth:
        rows = {Path(path).stem: (row, Path(path)) for row, path in enumerate(videos.get(info.baseline, ()))}
        truth = Path(info.truth[track])
        found = {
            name: ({TRUE: Film(None, rows[name][1], truth, rows[name][0])} if name in rows else {}) | films
            for name, films in found.items()
        }
    return found
