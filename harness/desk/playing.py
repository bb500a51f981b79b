"""Films as a player gets them: their clips, one after the other, so that none is joined anew when another one comes."""

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import get_ident

from fastapi.responses import Response, StreamingResponse

from svi.generation.takes import Takes
from svi.generation.video import pieces_mp4

CHUNK = 1 << 18  # bytes


class Playing:
    """Pieces of films, each made when it is first asked for, in a folder that goes with this program."""

    def __init__(self, takes: Takes, fps: int) -> None:
        self._takes, self._fps = takes, fps
        self._folder = TemporaryDirectory(prefix="harness-desk-")

    def film(self, wanted: Sequence[str], parts: Sequence[slice]) -> list[Path]:
        """Files whose bytes, one after the other, are a film of these parts of these takes as a fragmented mp4."""
        pieces, begins = list[Path](), 0
        for number, (name, part) in enumerate(zip(wanted, parts, strict=True), start=1):
            piece = Path(self._folder.name) / f"{name[:32]}-{part.start}-{part.stop}-from-{begins}"
            if not piece.is_file():
                self._write(piece, name, part, begins, number)
            pieces += [piece] if pieces else [piece.with_suffix(".head"), piece]
            begins += part.stop - part.start
        return pieces

    def _write(self, piece: Path, name: str, part: slice, begins: int, number: int) -> None:
        segment = self._takes.segment(name, part, self._fps)
        head, clip = pieces_mp4(segment, Fraction(begins, self._fps), number)
        for file, content in ((piece.with_suffix(".head"), head), (piece, clip)):
            fresh = file.with_suffix(f".{get_ident()}")  # another request may write the same
            fresh.write_bytes(content)
            fresh.replace(file)


def answer(pieces: Sequence[Path], asked: str) -> Response:
    """These files as one; `asked`: which bytes of it, as HTTP's Range says (RFC 9110, 14.2), one range alone; else all."""
    sizes = [piece.stat().st_size for piece in pieces]
    whole = sum(sizes)
    found = re.fullmatch(r"bytes=(?=\d|-\d)(\d*)-(\d*)", asked)
    begin, end = (0, whole) if found is None else _range(found[1], found[2], whole)
    if begin >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{whole}"})
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(end - begin)}
    headers |= {"Content-Range": f"bytes {begin}-{end - 1}/{whole}"} if found else {}
    content = _bytes(pieces, sizes, begin, end)
    return StreamingResponse(content, 206 if found else 200, headers, media_type="video/mp4")


def _range(first: str, last: str, whole: int) -> tuple[int, int]:
    if not first:
        return max(0, whole - int(last)), whole
    return int(first), min(int(last) + 1, whole) if last else whole


def _bytes(pieces: Sequence[Path], sizes: Sequence[int], begin: int, end: int) -> Iterator[bytes]:
    """From `begin` to before `end`."""
    for piece, size in zip(pieces, sizes, strict=True):
        if begin < size and end > 0:
            with piece.open("rb") as file:
                file.seek(max(0, begin))
                left = min(end, size) - max(0, begin)
                while left > 0 and (content := file.read(min(CHUNK, left))):
                    left -= len(content)
                    yield content
        begin, end = begin - size, end - size
