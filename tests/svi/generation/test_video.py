"""Films as files."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from svi.generation.video import join_mp4, pieces_mp4, stream_mp4, write_mp4
from tests.svi.films import decoded


def noise(frames: int, height: int = 16, width: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (frames, height, width, 3)).astype(np.uint8)


def write_segments(folder: Path, frames: np.ndarray, lengths: list[int], fps: int) -> list[Path]:
    files, start = [], 0
    for i, length in enumerate(lengths):
        files.append(folder / f"{i}.mp4")
        write_mp4(files[-1], frames[start : start + length], fps, *frames.shape[1:3])
        start += length
    return files


def test_mp4_is_untagged_yuv420p_enlarged_and_true_in_duration(tmp_path: Path) -> None:
    write_mp4(tmp_path / "film.mp4", noise(40), 8, 16, 24)
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.height, stream.width) == (128, 192)
        assert float(stream.duration * stream.time_base) == pytest.approx(5.0)
        assert stream.codec_context.color_primaries == stream.codec_context.color_trc == 2  # unspecified
        assert len(list(container.decode(stream))) == 40


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    a, b = (write_segments(tmp_path, noise(9), [9], 16)[0].read_bytes() for _ in range(2))
    assert a == b


@pytest.mark.parametrize("fps", [8, 16, 24, 25])
def test_segments_are_joined_without_encoding_again(tmp_path: Path, fps: int) -> None:
    """Every decoded frame is that of its segment; times go on at the film's rate across the joints."""
    lengths = [4, 1, 8, 17]
    segments = write_segments(tmp_path, noise(30), lengths, fps)
    join_mp4(tmp_path / "film.mp4", segments)
    assert np.array_equal(decoded(tmp_path / "film.mp4"), np.concatenate([decoded(file) for file in segments]))
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.average_rate) == (30, fps)
        assert stream.duration * stream.time_base * fps == 30
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
    assert [packet.pts * packet.time_base * fps for packet in packets] == list(range(30))
    assert all(packet.pts == packet.dts for packet in packets)
    keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
    assert set(np.cumsum([0, *lengths[:-1]])) <= set(keys)  # every segment begins with a key frame: it is closed
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.mp4", "1.mp4", "2.mp4", "3.mp4", "film.mp4"]


def test_a_film_that_is_streamed_can_be_watched_while_it_is_made(tmp_path: Path) -> None:
    film, seen = tmp_path / "film.mp4", list[int]()
    segments = write_segments(tmp_path, noise(17), [4, 5, 8], 8)

    def coming() -> Iterator[Path]:
        for segment in segments:
            if segment != segments[0]:
                seen.append(len(decoded(film)))
            yield segment

    stream_mp4(film, coming())
    assert seen == [3, 8]  # all but the last frame, whose length the next one tells
    join_mp4(tmp_path / "joined.mp4", segments)
    assert np.array_equal(decoded(film), decoded(tmp_path / "joined.mp4"))


def test_clips_one_after_the_other_behind_a_first_part_are_a_film(tmp_path: Path) -> None:
    """As it is when it is joined, picture by picture and at the same times; a clip alone stands where it does in the film."""
    lengths, begins, pieces = [4, 5, 8], Fraction(0), list[tuple[bytes, bytes]]()
    segments = write_segments(tmp_path, noise(17), lengths, 8)
    for number, (segment, length) in enumerate(zip(segments, lengths, strict=True), start=1):
        pieces.append(pieces_mp4(segment, begins, number))
        begins += Fraction(length, 8)
    head, clips = pieces[0][0], [clip for _, clip in pieces]
    (tmp_path / "film.mp4").write_bytes(b"".join([head, *clips]))
    join_mp4(tmp_path / "joined.mp4", segments)
    assert timed(tmp_path / "film.mp4") == timed(tmp_path / "joined.mp4")
    (tmp_path / "last.mp4").write_bytes(head + clips[-1])
    assert timed(tmp_path / "last.mp4") == timed(tmp_path / "joined.mp4")[9:]


def timed(film: Path) -> list[tuple[float, bytes]]:
    """Its pictures and when they are shown."""
    with av.open(str(film)) as container:
        return [(one.time, one.to_ndarray(format="rgb24").tobytes()) for one in container.decode(video=0)]


def test_a_film_without_sound_is_its_segments_packets_and_nothing_else(tmp_path: Path) -> None:
    """Byte by byte what a plain copy of the packets gives: films that were made before stay what they are."""
    segments, start = write_segments(tmp_path, noise(9), [4, 5], 8), 0
    join_mp4(tmp_path / "film.mp4", segments)
    with av.open(str(tmp_path / "plain.mp4"), "w") as plain:
        stream = None
        for segment in segments:
            with av.open(str(segment)) as source:
                track = source.streams.video[0]
                stream = stream or plain.add_stream_from_template(track)
                for packet in source.demux(track):
                    if packet.pts is not None:
                        packet.pts = packet.dts = start + packet.pts
                        packet.stream = stream
                        plain.mux(packet)
                start += track.duration
    assert (tmp_path / "film.mp4").read_bytes() == (tmp_path / "plain.mp4").read_bytes()


def test_segments_encoded_in_another_way_are_refused(tmp_path: Path) -> None:
    first = write_segments(tmp_path, noise(4), [4], 8)[0]
    write_mp4(tmp_path / "other.mp4", noise(4, 16, 32), 8, 16, 32)
    with pytest.raises(ValueError, match=r"other.mp4 is encoded differently from .*0.mp4"):
        join_mp4(tmp_path / "film.mp4", [first, tmp_path / "other.mp4"])
    assert not (tmp_path / "film.mp4").exists()
