"""The films of a page: sample by sample, each variant's, in the page itself or beside it.

Samples are embedded, the first of every track before the second of any, while the page stays small enough to mail and to
open at once; the films of the others are linked where they lie, so that a page of large films plays them all the same.
"""

import base64
import itertools
import math
import os
import re
import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from reports.statistics.info import ReportInfo

VIDEO_BYTES = 24_000_000
"""Most bytes of video in a page, as embedded (base64)."""

SOURCE = '<source src="{url}" type="video/mp4">'
"""How a page names an address of a film."""

Link = Callable[[Path], Sequence[str]]
"""Addresses of a film, relative to the page: a player takes the first that it finds."""


@dataclass(frozen=True)
class SampleFilms:
    """The films of one sample: variant and addresses each; `embedded`: the addresses are data, so that the page has them all."""

    sample: str
    films: tuple[tuple[str, tuple[str, ...]], ...]
    embedded: bool


def film_rows(info: ReportInfo, link: Link, budget: int = VIDEO_BYTES) -> dict[str, list[SampleFilms]]:
    """Track -> its samples in order, each with the film of every compared variant that has one.

    A sample is embedded with all its films or with none: half of them would compare what is not side by side.
    """
    paths = {track: _samples(info, track) for track in info.tracks}
    rows: dict[str, list[SampleFilms]] = {track: [] for track in info.tracks}
    for index in range(max(map(len, paths.values()), default=0)):
        for track, samples in paths.items():
            for sample, films in itertools.islice(samples.items(), index, index + 1):
                size = sum(4 * math.ceil(path.stat().st_size / 3) for path in films.values())
                embedded = size <= budget
                budget -= size * embedded
                found = ((name, (video_uri(path),) if embedded else tuple(link(path))) for name, path in films.items())
                rows[track].append(SampleFilms(sample, tuple(found), embedded))
    return rows


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


def video_uri(path: Path) -> str:
    """The film as a data URI."""
    return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _samples(info: ReportInfo, track: str) -> dict[str, dict[str, Path]]:
    """Sample -> variant -> its film, of those that are kept."""
    found: dict[str, dict[str, Path]] = {}
    for variant in info.compared:
        for path in map(Path, info.videos.get(track, {}).get(variant, ())):
            if path.is_file():
                found.setdefault(path.stem, {})[variant] = path
    return found
