"""Key points, drawn: where, in which colours, and which files are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from svi.conditions.skeleton import COLOURS, LIMBS, PARTS, Skeletons, draw
from svi.data.open_video import OpenVideo
from svi.settings import DataSettings
from tests.svi.conditions.poses import DANCER, SHARED, points, walk

SETTINGS = DataSettings(height=64, width=48, fps=8)


def test_a_limb_is_dimmed_and_its_ends_are_not() -> None:
    picture = draw(points({2: (0.25, 0.5), 3: (0.75, 0.5)}), 100, 200)
    assert tuple(picture[50, 100]) == tuple(int(0.6 * c) for c in COLOURS[LIMBS.index((2, 3))])
    assert tuple(picture[50, 50]) == COLOURS[2]
    assert tuple(picture[50, 150]) == COLOURS[3]
    assert (picture[50 + 5 :, 100] == 0).all()
    assert (picture[53, 100] > 0).any()


def test_what_was_not_found_is_not_drawn() -> None:
    found = {2: (0.25, 0.5), 3: (0.75, 0.5)}
    for lost in ((-1.0, -1.0, 1.0), (0.75, 0.5, 0.2), (np.nan, 0.5, 1.0)):
        given = points(found)
        given["body"][3] = lost
        picture = draw(given, 100, 200)
        assert tuple(picture[50, 50]) == COLOURS[2]
        assert not picture[:, 100:].any()
    assert not draw(points({}), 100, 200).any()


def test_toes_need_both_of_theirs() -> None:
    given = points({13: (0.5, 0.5)})
    given["feet"][:2] = [(0.7, 0.8, 1), (0.9, 0.8, 1)]
    assert tuple(draw(given, 100, 100)[80, 80]) == COLOURS[18]
    given["feet"][1, 2] = 0.1
    assert not draw(given, 100, 100)[60:].any()


def test_hands_and_face() -> None:
    given = points({})
    given["hands"][21:23] = [(0.2, 0.2, 1), (0.8, 0.2, 1)]
    given["face"][0] = (0.5, 0.8, 1)
    picture = draw(given, 100, 100)
    assert tuple(picture[20, 20]) == (255, 0, 0)
    assert tuple(picture[20, 50]) == (0, 0, 255)  # the first bone, red before the exchange
    assert tuple(picture[80, 50]) == (255, 255, 255)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is not here")
def test_a_real_rendering_has_these_limbs_in_these_colours() -> None:
    """Key points read off frame 100 of a published pose video; drawn again, they cover the same pixels in the same colours."""
    video = OpenVideo(SHARED / "pose.mp4", DataSettings(height=1088, width=608, fps=24))
    real = video.frames([100])[0].astype(int)
    drawn = draw(points(DANCER), 1088, 608).astype(int)
    inked = drawn.any(-1)

    def alike(picture: np.ndarray) -> float:
        return float((np.abs(picture - real)[inked].max(-1) < 80).mean())

    assert alike(drawn) > 0.8
    assert alike(drawn[..., ::-1]) < 0.4


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".json"])
def test_files_of_each_kind_say_the_same(tmp_path: Path, suffix: str) -> None:
    arrays = walk(frames=20, fps=16)
    skeletons = Skeletons(_write(tmp_path / f"walk{suffix}", arrays), SETTINGS)
    assert len(skeletons) == 10
    frames = skeletons.frames([0, 9, 4])
    assert frames.shape == (3, 64, 48, 3)
    assert frames.dtype == np.uint8
    whole = Skeletons(_write(tmp_path / "again.npz", arrays), SETTINGS).frames(range(10))
    assert (frames == whole[[0, 9, 4]]).all()
    columns = [int(np.argwhere(frame.any((0, 2))).mean()) for frame in whole]
    assert columns == sorted(columns)
    assert columns[0] < columns[-1] - 10  # the dancer walks to the right


def test_the_sides_are_cropped_as_a_video_is(tmp_path: Path) -> None:
    """A wide picture on a high film: what stands at its left edge is lost, the middle stays."""
    arrays = walk(frames=1, fps=8) | {"size": np.array([100, 300], np.float32)}
    arrays["body"][:] = 0
    arrays["body"][0, :2] = [(0.05, 0.5, 1), (0.5, 0.5, 1)]
    frame = Skeletons(_write(tmp_path / "a.npz", arrays), DataSettings(height=100, width=100, fps=8)).frames([0])[0]
    assert frame[45:56, 45:56].any()
    assert frame[50, 0].any()  # the limb goes on to the edge
    assert frame[50, 50].max() > 200


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"body": np.zeros((4, 17, 3))}, r"body of shape \[4, 17, 3\], expected \[frames, 18, 3\]"),
    ({"hands": np.zeros((3, 42, 3))}, r"hands of shape \[3, 42, 3\], expected \[4, 42, 3\]"),
    ({"hand": np.zeros((4, 42, 3))}, "received hand, expected arrays body"),
    ({"body": np.full((4, 18, 3), 240.0)}, "divide x by the width"),
    ({"fps": np.array(0.0)}, r"fps 0.0, expected one number above 0"),
    ({"size": np.array([480.0])}, r"size \[480.0\], expected height and width"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_a_wrong_file_says_what_is_amiss(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    file = _write(tmp_path / "a.npz", walk(frames=4, fps=8) | change)
    with pytest.raises(ValueError, match=said):
        Skeletons(file, SETTINGS)


def test_a_file_without_body_fps_or_size_is_refused(tmp_path: Path) -> None:
    for name in ("body", "fps", "size"):
        arrays = walk(frames=4, fps=8)
        del arrays[name]
        with pytest.raises(ValueError, match=f"received {name}"):
            Skeletons(_write(tmp_path / "a.npz", arrays), SETTINGS)


@pytest.mark.parametrize("kept", [0, 60, 0.5, 0.98])
def test_what_is_left_of_a_torn_file_is_refused(tmp_path: Path, kept: float) -> None:
    np.savez_compressed(tmp_path / "a.npz", **walk(frames=20, fps=16))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[: int(kept * len(content)) if kept < 1 else int(kept)])
    with pytest.raises(ValueError, match="received no readable key points"):
        Skeletons(tmp_path / "a.npz", SETTINGS)


def test_bytes_that_no_longer_unpack_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", **walk(frames=20, fps=16))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[60:200] = bytes(140)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match="received no readable key points"):
        Skeletons(tmp_path / "a.npz", SETTINGS)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    np.savez(tmp_path / "a.npz", body=np.array([_Trap(ran)], dtype=object))
    for suffix in (".safetensors", ".json"):
        (tmp_path / f"a{suffix}").write_bytes(b"no such thing")
    for suffix in (".npz", ".safetensors", ".json"):
        with pytest.raises(ValueError, match="key points"):
            Skeletons(tmp_path / f"a{suffix}", SETTINGS)
    assert not ran.exists()


class _Trap:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def _write(file: Path, arrays: dict[str, Any]) -> Path:
    if file.suffix == ".npz":
        np.savez(file, **arrays)
    elif file.suffix == ".safetensors":
        save_file({name: np.asarray(value, np.float32) for name, value in arrays.items()}, file)
    else:
        file.write_text(json.dumps({name: np.asarray(value).tolist() for name, value in arrays.items()}))
    return file


def test_every_part_has_its_points() -> None:
    assert sum(PARTS.values()) == 134  # DWPose's whole body with the neck
    assert max(max(limb) for limb in LIMBS) == len(COLOURS) - 1
