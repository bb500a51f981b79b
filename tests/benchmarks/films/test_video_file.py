"""Video files: what is read of them, and what is said of those that cannot be scored."""

import warnings
from pathlib import Path

import av
import decord
import numpy as np
import pytest

from benchmarks.films.video_file import VideoFile
from tests.benchmarks.vbench.vbench_videos import BT709, moving_frames, write_video


def test_a_video_says_its_size_rate_and_colour(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", moving_frames(13, 48, 64), fps=24)
    video = VideoFile.open(path)
    assert (video.fps, video.frames, video.height, video.width) == (24, 13, 48, 64)
    assert video.colour == "unspecified"
    assert video.seconds == pytest.approx(13 / 24)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p"])
def test_blocks_are_the_frames_in_order(tmp_path: Path, pixels: str) -> None:
    frames = moving_frames(13, 48, 64)
    blocks = list(VideoFile.open(write_video(tmp_path / "a.mp4", frames, 16, pixels=pixels)).blocks(5))
    assert [block.shape for block in blocks] == [(5, 48, 64, 3), (5, 48, 64, 3), (3, 48, 64, 3)]
    decoded = np.concatenate(blocks)
    assert decoded.dtype == np.uint8
    errors = np.abs(decoded.astype(int)[:, None] - frames[None]).mean(axis=(2, 3, 4))
    assert errors.argmin(axis=1).tolist() == list(range(13))
    assert errors.diagonal().max() < 16  # of 255: what the codec loses, most of it colour


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p"])
@pytest.mark.parametrize(("height", "width"), [(48, 64), (98, 130), (182, 310), (34, 1002)])
@pytest.mark.parametrize("colour", [None, BT709])
@pytest.mark.filterwarnings("ignore:.*colour tag is bt709")
def test_frames_are_those_that_official_vbench_decodes(
    tmp_path: Path, height: int, width: int, pixels: str, colour: int | None
) -> None:
    path = write_video(tmp_path / "a.mp4", moving_frames(4, height, width), 25, colour, pixels)
    expected = decord.VideoReader(str(path), num_threads=1).get_batch(range(4)).asnumpy()
    np.testing.assert_array_equal(next(VideoFile.open(path).blocks(4)), expected)


def test_frames_that_the_edit_list_cuts_away_do_not_count(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", moving_frames(20, 48, 64), 16)
    keep_early = {"avoid_negative_ts": "disabled"}
    with av.open(str(whole)) as source, av.open(str(tmp_path / "trimmed.mp4"), "w", options=keep_early) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is None or packet.dts is None:
                continue
            early = int(5 / 16 / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts - early, packet.dts - early, stream
            target.mux(packet)
    video = VideoFile.open(tmp_path / "trimmed.mp4")
    assert video.frames == 15
    np.testing.assert_array_equal(next(video.blocks(20)), next(VideoFile.open(whole).blocks(20))[5:])


def test_blocks_cannot_be_changed_for_the_next_reader(tmp_path: Path) -> None:
    block = next(VideoFile.open(write_video(tmp_path / "a.mp4", moving_frames(2, 48, 64), 16)).blocks(2))
    with pytest.raises(ValueError, match="read-only"):
        block[:] = 0


def test_a_colour_tag_that_decoders_disagree_on_is_warned_of(tmp_path: Path) -> None:
    frames = moving_frames(3, 48, 64)
    with pytest.warns(UserWarning, match=r"bt709.*OpenCV.*untagged"):
        assert VideoFile.open(write_video(tmp_path / "tagged.mp4", frames, 16, BT709)).colour == "bt709"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        VideoFile.open(write_video(tmp_path / "untagged.mp4", frames, 16))


def test_one_frame_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "one.mp4", moving_frames(1, 48, 64), 16)
    with pytest.raises(ValueError, match=r"one\.mp4: received 1 frame, expected at least 2"):
        VideoFile.open(path)


def test_no_frame_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "none.mp4", moving_frames(1, 48, 64)[:0], 16)
    with pytest.raises(ValueError, match=r"none\.mp4: received"):
        VideoFile.open(path)


def test_no_video_stream_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match=r"sound\.mp4: received no readable video stream"):
        VideoFile.open(tmp_path / "sound.mp4")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent\.mp4', expected an existing file"):
        VideoFile.open(tmp_path / "absent.mp4")


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"broken\.mp4: received an unreadable file of {len(content)} bytes"):
        VideoFile.open(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_video_that_was_cut_off_is_refused_before_it_is_decoded(tmp_path: Path, share: float) -> None:
    path = write_video(tmp_path / "cut.mp4", moving_frames(30, 64, 96), 16, index_first=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cut\.mp4: received \d+ readable frames, expected 30 as its header says"):
        VideoFile.open(path)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
def test_a_video_without_its_index_is_refused(tmp_path: Path, share: float) -> None:
    path = write_video(tmp_path / "cut.mp4", moving_frames(30, 64, 96), 16)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cut\.mp4: received .*(unreadable file|no readable video)"):
        VideoFile.open(path)


def test_damage_within_a_video_is_found_when_it_is_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "hurt.mp4", moving_frames(30, 64, 96), 16, index_first=True)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"hurt\.mp4: received an undecodable frame after \d+ of 30"):
        list(VideoFile.open(path).blocks(8))
