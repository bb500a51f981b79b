"""Files that are sent one after the other as one."""

import asyncio
from pathlib import Path

import pytest
from fastapi.responses import StreamingResponse

from harness.desk.playing import CHUNK, answer


@pytest.fixture
def pieces(tmp_path: Path) -> list[Path]:
    found = []
    for number, content in enumerate((b"head", b"", bytes(range(250)) * (CHUNK // 100), b"last")):
        found.append(tmp_path / str(number))
        found[-1].write_bytes(content)
    return found


def sent(answered: StreamingResponse) -> bytes:
    async def read() -> bytes:
        return b"".join([bytes(part) async for part in answered.body_iterator])

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-", 0, None),
        ("bytes=2-9", 2, 10),
        ("bytes=3-3", 3, 4),
        ("bytes=100-99999999", 100, None),
        ("bytes=-6", -6, None),
    ],
)
def test_a_range_is_that_of_the_whole(pieces: list[Path], asked: str, begin: int, end: int | None) -> None:
    whole = b"".join(piece.read_bytes() for piece in pieces)
    found = answer(pieces, asked)
    assert isinstance(found, StreamingResponse)
    content, first = sent(found), begin % len(whole)
    assert (found.status_code, content) == (206, whole[begin:end])
    assert found.headers["content-range"] == f"bytes {first}-{first + len(content) - 1}/{len(whole)}"
    assert found.headers["content-length"] == str(len(content))


@pytest.mark.parametrize("asked", ["", "bytes=", "bytes=0-1,5-6", "lines=1-2", "bytes=x"])
def test_what_is_no_single_range_gets_the_whole(pieces: list[Path], asked: str) -> None:
    found = answer(pieces, asked)
    assert isinstance(found, StreamingResponse)
    assert found.status_code == 200
    assert sent(found) == b"".join(piece.read_bytes() for piece in pieces)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=5-4", "bytes=-0"])
def test_a_range_that_is_not_there_is_refused(pieces: list[Path], asked: str) -> None:
    found = answer(pieces, asked)
    size = sum(piece.stat().st_size for piece in pieces)
    assert (found.status_code, found.headers["content-range"]) == (416, f"bytes */{size}")
