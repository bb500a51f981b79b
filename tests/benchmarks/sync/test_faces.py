"""Faces through a video: shots, tracks and crops."""

import hashlib

import numpy as np
import pytest

from benchmarks.sync.crop import crop, smoothed
from benchmarks.sync.faces import FaceTrack, follow, overlap, usable, why_unusable
from benchmarks.sync.resize import quarter, resize
from benchmarks.sync.shots import Shots, hsv

NONE = np.empty((0, 4))


def box(x: float, y: float, side: float) -> np.ndarray:
    """One face, its left upper corner at (x, y), [1, 4]."""
    return np.array([[x, y, x + side, y + side]])


def whole(faces: list[np.ndarray]) -> list[slice]:
    return [slice(0, len(faces))]


def test_a_face_that_moves_is_one_track() -> None:
    faces = [box(3 * t, t, 120) for t in range(130)]
    (track,) = follow(faces, whole(faces))
    assert (track.start, track.end, track.found, track.size) == (0, 130, 130, 120)
    assert np.array_equal(track.boxes, np.concatenate(faces))
    assert usable([track], 129) == [track]
    assert usable([track], 130) == []


def test_missed_frames_are_interpolated_up_to_25_frames_apart() -> None:
    faces = [box(t, 0, 120) for t in range(60)]
    for apart, tracks in ((25, [(0, 60, 36)]), (26, [(0, 20, 20), (45, 60, 15)])):
        gap = [NONE if 19 < t < 19 + apart else one for t, one in enumerate(faces)]
        found = follow(gap, whole(gap))
        assert [(track.start, track.end, track.found) for track in found] == tracks
    gap = [NONE if 19 < t < 44 else one for t, one in enumerate(faces)]
    np.testing.assert_allclose(follow(gap, whole(gap))[0].boxes, np.concatenate(faces))


def test_an_overlap_of_one_half_is_not_enough() -> None:
    assert overlap(box(0, 0, 90)[0], box(30, 0, 90)[0]) == pytest.approx(0.5)
    assert overlap(box(0, 0, 90)[0], box(90, 0, 90)[0]) == 0
    assert overlap(box(0, 0, 90)[0], box(200, 300, 90)[0]) == 0
    jump = [box(0, 0, 90)] * 10 + [box(30, 0, 90)] * 10
    assert [track.start for track in follow(jump, whole(jump))] == [0, 10]
    jump = [box(0, 0, 90)] * 10 + [box(29, 0, 90)] * 10
    assert [track.start for track in follow(jump, whole(jump))] == [0]


def test_two_faces_are_two_tracks_whichever_is_surer() -> None:
    left, right = box(0, 0, 120), box(300, 0, 150)
    faces = [np.concatenate([left, right] if t % 3 else [right, left]) for t in range(40)]
    found = follow(faces, whole(faces))
    assert sorted(track.size for track in found) == [120, 150]
    assert all(track.found == 40 for track in found)


def test_a_track_ends_with_its_shot() -> None:
    faces = [box(0, 0, 120)] * 50
    found = follow(faces, [slice(0, 20), slice(20, 50)])
    assert [(track.start, track.end) for track in found] == [(0, 20), (20, 50)]


def test_why_no_track_is_usable() -> None:
    assert why_unusable([], 100) == "no face was found in any frame"
    short, small, good = (
        FaceTrack(0, np.repeat(box(0, 0, side), n, axis=0), n) for side, n in ((120, 80), (100, 120), (101, 120))
    )
    assert why_unusable([short], 100).endswith("(the longest track has 80)")
    assert why_unusable([short, small], 100).endswith("pixels (the largest is 100)")
    assert usable([short, small, good], 100) == [good]
    assert why_unusable([short, small, good], 100) == ""


def test_a_face_counts_by_the_larger_of_its_mean_sides() -> None:
    boxes = np.array([[0.0, 0, 90, 100 + 4 * (t % 2)] for t in range(120)])
    assert FaceTrack(0, boxes, 120).size == 102


def fed(frames: np.ndarray, times: int = 1) -> list[slice]:
    shots = Shots()
    for frame in frames:
        shots.feed(frame, times)
    return shots.slices()


def plain(levels: list[int], width: int = 64) -> np.ndarray:
    return np.stack([np.full((48, width, 3), level, dtype=np.uint8) for level in levels])


def test_shots_part_where_the_picture_changes() -> None:
    assert fed(plain([10] * 40)) == [slice(0, 40)]
    assert fed(plain([10] * 20 + [120] * 20)) == [slice(0, 20), slice(20, 40)]
    assert fed(plain([10] * 20 + [120] * 20), times=2) == [slice(0, 40), slice(40, 80)]
    assert fed(plain([10] * 20 + [120] * 20, width=1024)) == [slice(0, 20), slice(20, 40)]


def test_a_change_below_the_threshold_is_no_cut() -> None:
    """Grey levels differ in value alone: a third of the change counts."""
    assert fed(plain([10] * 20 + [10 + 81] * 20)) == [slice(0, 20), slice(20, 40)]
    assert fed(plain([10] * 20 + [10 + 80] * 20)) == [slice(0, 40)]


def test_cuts_are_15_frames_apart() -> None:
    assert fed(plain([10] * 14 + [120] * 20)) == [slice(0, 34)]
    assert fed(plain([10] * 15 + [120] * 14 + [10] * 20)) == [slice(0, 15), slice(15, 49)]
    assert fed(plain([10] * 15 + [120] * 15 + [10] * 20)) == [slice(0, 15), slice(15, 30), slice(30, 50)]


def test_colours_are_in_opencvs_units() -> None:
    colours = {
        (0, 0, 0): (0, 0, 0),
        (255, 255, 255): (0, 0, 255),
        (255, 0, 0): (0, 255, 255),
        (0, 255, 0): (60, 255, 255),
        (0, 0, 255): (120, 255, 255),
        (255, 0, 255): (150, 255, 255),
        (200, 100, 150): (165, 128, 200),
    }
    image = np.array([list(colours)], dtype=np.uint8)
    assert hsv(image)[0].tolist() == [list(value) for value in colours.values()]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "to", "sha256"),
    [
        ((57, 63), (224, 224), "e4a70603f1fd83dade2fe904e6cfb036d38741fa4a919bcac91dce10e202d909"),
        ((301, 257), (224, 224), "36df39b08594496f9da926364bb89229db9b0a72536b2b21c98bd117646b2d2f"),
        ((480, 832), (160, 277), "0cf9640bb3c85042f954010cd7488a19244a6057d8db83ba62db2fcf754a3d50"),
    ],
)
def test_resizing_gives_the_pixels_of_opencv(size: tuple[int, int], to: tuple[int, int], sha256: str) -> None:
    """The hashes are of what `cv2.resize` of opencv-python-headless 5.0.0 gave for the same noise."""
    assert hashlib.sha256(resize(noise(*size), *to).tobytes()).hexdigest() == sha256


def test_a_quarter_gives_the_pixels_of_opencv() -> None:
    """As above, with fx = fy = .25; neither side is a multiple of 4."""
    small = quarter(noise(480, 832)[:479, :830])
    assert small.shape == (120, 208, 3)
    expected = "1840f98338408200389f5d7b7b3373b73f7585b6c92349effd400cdd6597b47d"
    assert hashlib.sha256(small.tobytes()).hexdigest() == expected


def test_resizing_to_the_same_size_changes_nothing() -> None:
    image = noise(50, 70)
    assert np.array_equal(resize(image, 50, 70), image)


def test_positions_are_smoothed_over_13_frames() -> None:
    boxes = np.repeat([[100.0, 50, 220, 190]], 40, axis=0)
    boxes[20] += 70  # a detection gone astray
    faces = smoothed(FaceTrack(5, boxes, 40))
    assert faces.shape == (40, 3)
    assert (faces == [160, 120, 70]).all()


def test_the_published_filter_takes_the_smallest_of_the_first_seven_values() -> None:
    boxes = np.array([[0.0, 0, 100 + 2 * t, 100 + 2 * t] for t in range(30)])
    assert smoothed(FaceTrack(0, boxes, 30))[[0, 15, 29]].tolist() == [[50, 50, 50], [65, 65, 65], [73, 73, 73]]


def test_a_crop_has_room_below_and_at_the_sides() -> None:
    """Half a side of 80: from 80 above the centre to 144 below it, 112 to the left and right: 224 pixels, unscaled."""
    frame = noise(480, 640)
    assert np.array_equal(crop(frame, np.array([300.0, 200, 80])), frame[120:344, 188:412])


def test_what_lies_outside_of_the_frame_is_grey() -> None:
    frame = noise(200, 250)
    face = crop(frame, np.array([40.0, 150, 80]))  # from y = 70 to 294, from x = -72 to 152
    assert np.array_equal(face[:130, 72:], frame[70:, :152])
    assert (face[130:] == 110).all()
    assert (face[:, :72] == 110).all()
    inside = crop(frame, np.array([125.0, 100, 300]))
    assert (inside[0] == 110).all()
    assert (inside != 110).any()


def test_crops_are_scaled_to_224_pixels() -> None:
    frame = noise(480, 640)
    region = frame[160 - 40 : 160 + 72, 200 - 56 : 200 + 56]
    assert np.array_equal(crop(frame, np.array([200.0, 160, 40])), resize(region, 224, 224))
