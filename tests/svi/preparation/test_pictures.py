"""Pictures of a video or of JPEGs, and the mp4 that is kept of them."""

from fractions import Fraction
from pathlib import Path

import decord
import numpy as np
import pytest

from svi.preparation.pictures import by_time, jpeg_pictures, keep, open_jpegs, open_video
from tests.svi.preparation.sources import greys, jpegs, levels_of, read_video, write_pickle, write_video


def close(found: np.ndarray, expected: list[int], within: float = 3) -> bool:
    return len(found) == len(expected) and bool(np.abs(found - np.array(expected)).max() <= within)


def test_all_pictures_at_the_videos_own_rate(tmp_path: Path) -> None:
    source = open_video(write_video(tmp_path / "a.mp4", greys(20), Fraction(30000, 1001)))
    assert (source.count, source.rate, source.height, source.width) == (20, Fraction(30000, 1001), 48, 64)
    keep(source, 12, source.rate, tmp_path / "kept.mp4")
    assert close(levels_of(tmp_path / "kept.mp4"), greys(20)[:12])
    assert read_video(tmp_path / "kept.mp4")[1:] == (Fraction(30000, 1001), "h264")


@pytest.mark.parametrize(
    ("rate", "picks"), [(50, range(0, 40, 2)), (25, range(40)), (12.5, [i // 2 for i in range(80)])]
)
def test_another_rate_by_time(tmp_path: Path, rate: float, picks: list[int]) -> None:
    source = open_video(write_video(tmp_path / "a.mp4", greys(40), Fraction(rate)), Fraction(25))
    keep(source, source.count, Fraction(25), tmp_path / "kept.mp4")
    found = levels_of(tmp_path / "kept.mp4")
    assert source.count == len(picks)
    assert close(found, [greys(40)[i] for i in picks], 9)  # a picture beside it where two are as near


def test_pictures_of_uneven_times_are_taken_by_their_time(tmp_path: Path) -> None:
    """As telephones film: ten pictures in the first second, and two in the next."""
    stamps = [*range(0, 10), 10, 15]
    source = open_video(write_video(tmp_path / "a.mp4", greys(12), 10, stamps=stamps), Fraction(10))
    keep(source, source.count, Fraction(10), tmp_path / "kept.mp4")
    found = levels_of(tmp_path / "kept.mp4")
    assert close(found[:10], greys(12)[:10])
    assert close(found[10:12], [greys(12)[10]] * 2)
    assert close(found[14:16], [greys(12)[11]] * 2)


def test_a_video_that_lies_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    """The header of an mp4 holds a matrix for that: here, a quarter turn."""
    half = np.repeat([[[30]], [[200]]], 24, axis=0)  # dark above, light below
    file = write_video(tmp_path / "a.mp4", [half] * 4)
    content = file.read_bytes()
    one = (1 << 16).to_bytes(4, "big")
    upright = one + bytes(12) + one + bytes(12) + (1 << 30).to_bytes(4, "big")
    turned = (
        bytes(4) + one + bytes(4) + (2**32 - (1 << 16)).to_bytes(4, "big") + bytes(16) + (1 << 30).to_bytes(4, "big")
    )
    at = content.index(upright, content.index(b"tkhd"))
    file.write_bytes(content[:at] + turned + content[at + 36 :])
    source = open_video(file)
    assert (source.height, source.width) == (64, 48)
    keep(source, 4, source.rate, tmp_path / "kept.mp4")
    found = read_video(tmp_path / "kept.mp4")[0]
    assert found.shape == (4, 64, 48, 3)
    assert close(found.mean(axis=(0, 1, 3))[[4, 43]], [200, 30], 6)  # a quarter clockwise: what was below is left


def test_odd_sides_lose_a_row_or_column(tmp_path: Path) -> None:
    source = jpeg_pictures(tmp_path, list(jpegs(greys(3), (49, 65)).values()), Fraction(25))
    keep(by_time(source, Fraction(25)), 3, Fraction(25), tmp_path / "kept.mp4")
    assert read_video(tmp_path / "kept.mp4")[0].shape == (3, 48, 64, 3)


def test_jpegs_are_kept_bit_by_bit_and_read_by_the_reader_of_training(tmp_path: Path) -> None:
    import av

    stored = open_jpegs(write_pickle(tmp_path / "frame_data.pkl", dict(reversed(jpegs(greys(9)).items()))))
    assert list(stored) == [f"{i:06d}.jpg" for i in range(9)]
    source = jpeg_pictures(tmp_path, list(stored.values()), Fraction(25))
    keep(source, 8, source.rate, tmp_path / "kept.mp4")
    with av.open(str(tmp_path / "kept.mp4")) as container:
        assert [bytes(packet) for packet in container.demux(video=0) if packet.size] == list(stored.values())[:8]
    reader = decord.VideoReader(str(tmp_path / "kept.mp4"))
    assert (len(reader), reader.get_avg_fps()) == (8, 25)
    assert close(reader.get_batch([3, 0, 7]).asnumpy().mean(axis=(1, 2, 3)), [greys(9)[i] for i in (3, 0, 7)])


def test_fewer_pictures_by_time(tmp_path: Path) -> None:
    source = by_time(jpeg_pictures(tmp_path, list(jpegs(greys(30)).values()), Fraction(30)), Fraction(10))
    found = [picture.mean() for picture in source.read()]
    assert close(np.array(found), greys(30)[::3], 8)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "received a list"),
        ({}, "received a dict of nothing"),
        ({"000000.jpg": "text"}, "received a str as '000000.jpg'"),
        ({0: b""}, "received a bytes as 0"),
    ],
)
def test_pickles_of_anything_else_are_refused(tmp_path: Path, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        open_jpegs(write_pickle(tmp_path / "frame_data.pkl", value))


def test_bad_jpegs_are_refused(tmp_path: Path) -> None:
    whole = list(jpegs(greys(3)).values())
    for wrong, said in (
        ([*whole, b"GIF89a"], "picture 3 that cannot be read"),
        ([*whole, whole[0][:200]], "picture 3 that cannot be read"),
        ([*whole, *jpegs([9], (16, 16)).values()], "16 x 16 and 64 x 48 pixels"),
    ):
        with pytest.raises(ValueError, match=said):
            jpeg_pictures(tmp_path / "frame_data.pkl", wrong, Fraction(25))


def test_unreadable_videos_are_refused(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", greys(50))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "torn.mp4").write_bytes(whole.read_bytes()[:-300])
    for name in ("empty.mp4", "text.mp4", "torn.mp4", "absent.mp4"):
        with pytest.raises(ValueError, match=name):
            open_video(tmp_path / name)


def test_a_video_that_has_fewer_pictures_than_it_says_is_refused(tmp_path: Path) -> None:
    source = open_video(write_video(tmp_path / "a.mp4", greys(5)))
    with pytest.raises(ValueError, match="received 5 pictures that can be read of 6"):
        keep(source, 6, source.rate, tmp_path / "kept.mp4")
